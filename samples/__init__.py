"""Small programs that use the SDK, easiest first, then a whole small game. Nothing else imports them."""
