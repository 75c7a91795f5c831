"""An evening in a full tavern, replayed on our engine and on llama.cpp's server: how long until somebody speaks."""
