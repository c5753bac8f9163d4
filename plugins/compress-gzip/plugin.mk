LDLIBS_compress-gzip := -lz
