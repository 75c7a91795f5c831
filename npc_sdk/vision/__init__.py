"""Screenshots in: checked before anything is decoded, decoded off the loop, made as small as the model wants them."""
