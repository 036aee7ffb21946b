# protobuf-c ends a string at its first NUL, unless it is told to hold it as bytes: one test sends
# such a string in this field. Nothing else differs.
/^import "google.protobuf.any.proto";/i import "protobuf-c/protobuf-c.proto";
s/string optional_string = 14;/string optional_string = 14 [(pb_c_field).string_as_bytes = true];/
