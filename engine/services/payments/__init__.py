"""Payments: start, order, settlement, cash, receipts and refunds."""
