# zlib unpacks some of the tests' vectors; the plugin itself does not use it, so it is not linked to it.
LDLIBS_crypt-age := -lcrypto -Wl,--as-needed -lz
