"""The gateways: where other systems are reached (payment operators, message senders, registers)."""
