"""What an image needs from a cloud, on one machine: QEMU, a metadata service, and dummy quotes."""
