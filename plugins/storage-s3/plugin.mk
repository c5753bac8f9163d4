LDLIBS_storage-s3 := -lcurl -lexpat -lcrypto
