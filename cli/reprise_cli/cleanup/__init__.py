"""What CloudFormation kept of a stack that is gone or never came up."""
