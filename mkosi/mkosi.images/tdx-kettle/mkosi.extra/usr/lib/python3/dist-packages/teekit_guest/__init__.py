"""What runs inside the tdx-kettle image. Nothing but Python's standard library; one module for each service, and what they share."""
