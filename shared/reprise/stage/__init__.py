"""The stages of the flow, each a use case on ports: call, capture, unpack, replay."""
