"""User backends against the real services behind them."""
