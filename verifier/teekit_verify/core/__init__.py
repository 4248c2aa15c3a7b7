"""What every layer uses: errors, digests, bounded binary reading, running programs, downloading."""
