#undef TEXT
