namespace tensorhub {}
