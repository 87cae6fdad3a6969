"""The ports on AWS, or on anything that answers like AWS at an endpoint (moto, LocalStack, MiniStack)."""
