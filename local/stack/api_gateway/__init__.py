"""An emulator of API Gateway, which executes the CloudFormation template that is deployed."""
