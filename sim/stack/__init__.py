"""The exchange as a CloudFormation stack: what is zipped, how it is deployed, what is proven of it."""
