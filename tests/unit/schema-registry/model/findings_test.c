/* findings_test.c - each kind of finding of both formats: its place in the new text, its reason and its hint. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

struct row {
	const char *type;
	enum compat_level level;
	const char *old;
	const char *update;
	const char *place; /* line:column */
	const char *description;
	const char *hint;
};

#define P3 "// a comment\n\nsyntax = \"proto3\";\npackage p;\n"
#define P2 "// a comment\n\nsyntax = \"proto2\";\npackage p;\n"
#define M(fields) "message M {\n" fields "}\n"
#define E(values) "enum E {\n  A = 0;\n" values "}\n"
#define S(rpcs) "message M {}\nservice S {\n" rpcs "}\n"

static const struct row protobuf_rows[] = {
	{"FIELD_NAMED_TYPE_CHANGED", COMPAT_BACKWARD, P3 M("  N v = 2;\n") "message N {}\nmessage O {}\n",
	 P3 M("  O v = 2;\n") "message N {}\nmessage O {}\n", "6:3",
	 "field 'v' has type 'N' in the old schema and 'O' in the new schema, at path '#/M/2'",
	 "use a new number for the other type"},
	{"FIELD_KIND_CHANGED", COMPAT_BACKWARD, P3 M("  string v = 2;\n"), P3 M("  map<string, string> v = 2;\n"),
	 "6:3", "field 'v' has type 'string' in the old schema and 'map' in the new schema, at path '#/M/2'",
	 "use a new number for the other type"},
	{"FIELD_SCALAR_KIND_CHANGED", COMPAT_BACKWARD, P3 M("  string v = 2;\n"), P3 M("\n  int32 v = 2;\n"), "7:3",
	 "field 'v' has type 'string' in the old schema and 'int32' in the new schema, at path '#/M/2'",
	 "use a new number for the other type"},
	{"FIELD_SCALAR_KIND_CHANGED", COMPAT_FORWARD, P3 M("  string v = 2;\n"), P3 M("\n  int32 v = 2;\n"), "7:3",
	 "field 'v' has type 'int32' in the new schema and 'string' in the old schema, at path '#/M/2'",
	 "use a new number for the other type"},
	{"FIELD_SCALAR_KIND_CHANGED", COMPAT_BACKWARD, P3 M("  map<string, string> v = 2;\n"),
	 P3 M("  map<string, int32> v = 2;\n"), "6:3",
	 "field 'v.value' has type 'string' in the old schema and 'int32' in the new schema, at path '#/M/VEntry/2'",
	 "use a new number for the other type"},
	{"FIELD_NUMERIC_LABEL_CHANGED", COMPAT_BACKWARD, P3 M("  optional int32 v = 2;\n"),
	 P3 M("  repeated int32 v = 2;\n"), "6:3",
	 "field 'v' is optional in the old schema and repeated in the new schema, at path '#/M/2'",
	 "use a new number for the other label"},
	{"REQUIRED_FIELD_REMOVED", COMPAT_BACKWARD, P2 M("  required int32 v = 2;\n"), P2 M(""), "5:1",
	 "the required field 'v' of the old schema is missing in the new schema, at path '#/M/2'", "keep the field"},
	{"REQUIRED_FIELD_ADDED", COMPAT_BACKWARD, P2 M(""), P2 M("  required int32 v = 2;\n"), "6:3",
	 "the required field 'v' of the new schema is missing in the old schema, at path '#/M/2'",
	 "make the field optional"},
	{"REQUIRED_FIELD_ADDED", COMPAT_FORWARD, P2 M("  required int32 v = 2;\n"), P2 M(""), "5:1",
	 "the required field 'v' of the old schema is missing in the new schema, at path '#/M/2'", "keep the field"},
	{"REQUIRED_FIELD_REMOVED", COMPAT_FORWARD, P2 M(""), P2 M("  required int32 v = 2;\n"), "6:3",
	 "the required field 'v' of the new schema is missing in the old schema, at path '#/M/2'",
	 "make the field optional"},
	{"ONEOF_FIELD_REMOVED", COMPAT_BACKWARD, P3 M("  oneof o {\n    int32 v = 2;\n    int32 w = 3;\n  }\n"),
	 P3 M("  oneof o {\n    int32 v = 2;\n  }\n"), "5:1",
	 "field 'w' of oneof 'o' in the old schema is not in it in the new schema, at path '#/M/3'",
	 "keep the field in its oneof"},
	{"ONEOF_FIELD_REMOVED", COMPAT_BACKWARD, P3 M("  oneof o {\n    int32 v = 2;\n    int32 w = 3;\n  }\n"),
	 P3 M("  oneof o {\n    int32 v = 2;\n  }\n  int32 w = 3;\n"), "9:3",
	 "field 'w' of oneof 'o' in the old schema is not in it in the new schema, at path '#/M/3'",
	 "keep the field in its oneof"},
	{"ONEOF_FIELD_REMOVED", COMPAT_FORWARD, P3 M("  oneof o {\n    int32 v = 2;\n  }\n"),
	 P3 M("  oneof o {\n    int32 v = 2;\n    int32 w = 3;\n  }\n"), "8:5",
	 "field 'w' of oneof 'o' in the new schema is not in it in the old schema, at path '#/M/3'",
	 "add the field outside of the oneof"},
	{"FIELD_MOVED_TO_EXISTING_ONEOF", COMPAT_BACKWARD, P3 M("  oneof o {\n    int32 v = 2;\n  }\n  int32 w = 3;\n"),
	 P3 M("  oneof o {\n    int32 v = 2;\n    int32 w = 3;\n  }\n"), "8:5",
	 "field 'w' of the old schema is in the existing oneof 'o' in the new schema, at path '#/M/3'",
	 "leave the field outside of the oneof"},
	{"FIELD_MOVED_TO_EXISTING_ONEOF", COMPAT_FORWARD,
	 P3 M("  oneof o {\n    int32 v = 2;\n    int32 w = 3;\n  }\n"),
	 P3 M("  oneof o {\n    int32 v = 2;\n  }\n  int32 w = 3;\n"), "9:3",
	 "field 'w' of the new schema is in the existing oneof 'o' in the old schema, at path '#/M/3'",
	 "leave the field in its oneof"},
	{"MULTIPLE_FIELDS_MOVED_TO_ONEOF", COMPAT_FORWARD,
	 P3 M("  oneof o {\n    int32 v = 2;\n    int32 w = 3;\n  }\n"), P3 M("  int32 v = 2;\n  int32 w = 3;\n"),
	 "7:3", "2 fields of the new schema are in the new oneof 'o' in the old schema, at path '#/M/3'",
	 "leave the fields in their oneof"},
	{"MULTIPLE_FIELDS_MOVED_TO_ONEOF", COMPAT_BACKWARD, P3 M("  int32 v = 2;\n  int32 w = 3;\n"),
	 P3 M("  oneof o {\n    int32 v = 2;\n    int32 w = 3;\n  }\n"), "8:5",
	 "2 fields of the old schema are in the new oneof 'o' in the new schema, at path '#/M/3'",
	 "move one field at most"},
	{"MESSAGE_REMOVED", COMPAT_BACKWARD, P3 M("") "message N {}\n", P3 M(""), "4:1",
	 "message 'N' of the old schema is missing in the new schema, at path '#/N'", "keep the message, in its place"},
	{"MESSAGE_REMOVED", COMPAT_FORWARD, P3 M(""), P3 M("") "message N {}\n", "7:1",
	 "message 'N' of the new schema is missing in the old schema, at path '#/N'",
	 "declare the new message in another file"},
	{"MESSAGE_REMOVED", COMPAT_BACKWARD, P3 M("  message N {}\n"), P3 M(""), "5:1",
	 "message 'M.N' of the old schema is missing in the new schema, at path '#/M/N'",
	 "keep the message, in its place"},
	{"MESSAGE_REMOVED", COMPAT_BACKWARD, "// c\nsyntax = \"proto3\";\n" M("") "message N {}\n",
	 "// c\nsyntax = \"proto3\";\n" M(""), "2:1",
	 "message 'N' of the old schema is missing in the new schema, at path '#/N'", "keep the message, in its place"},
	{"PACKAGE_CHANGED", COMPAT_BACKWARD, "syntax = \"proto3\";\npackage q;\n" M(""), P3 M(""), "4:1",
	 "the package 'q' of the old schema is 'p' in the new schema, at path '#/'",
	 "keep the package, or use another subject"},
	{"PACKAGE_CHANGED", COMPAT_BACKWARD, P3 M(""), "// c\nsyntax = \"proto3\";\n" M(""), "2:1",
	 "the package 'p' of the old schema is '' in the new schema, at path '#/'",
	 "keep the package, or use another subject"},
	{"FIELD_REMOVED", COMPAT_STRICT, P3 M("  int32 v = 2;\n"), P3 M(""), "5:1",
	 "field 'v' with number 2 is gone, at path '#/M/2'", "keep the field, and mark it deprecated"},
	{"FIELD_REMOVED_UNRESERVED", COMPAT_WIRE, P3 M("  int32 v = 2;\n"), P3 M(""), "5:1",
	 "field 'v' is gone and its number 2 is not reserved, at path '#/M/2'", "reserve its number, and its name"},
	{"FIELD_REMOVED_UNRESERVED", COMPAT_WIRE_JSON, P3 M("  int32 v = 2;\n"), P3 M("  reserved 2;\n"), "5:1",
	 "field 'v' is gone and its name is not reserved, at path '#/M/2'", "reserve its name, too"},
	{"FIELD_NUMBER_CHANGED", COMPAT_WIRE, P3 M("  string v = 2;\n"), P3 M("  string v = 3;\n"), "6:3",
	 "field 'v' had number 2 and has 3, at path '#/M/3'",
	 "give the field its old number back, or a new name: old data has its value there"},
	{"FIELD_TYPE_CHANGED", COMPAT_WIRE_JSON, P3 M("  int32 v = 2;\n"), P3 M("  int64 v = 2;\n"), "6:3",
	 "field 'v' changes its type from 'int32' to 'int64', at path '#/M/2'", "use a new number for the other type"},
	{"FIELD_TYPE_CHANGED", COMPAT_WIRE, P3 M("  E v = 2;\n") E(""), P3 M("  int32 v = 2;\n") E(""), "6:3",
	 "field 'v' changes its type from 'p.E' to 'int32', at path '#/M/2'", "use a new number for the other type"},
	{"FIELD_TYPE_CHANGED", COMPAT_WIRE_JSON, P3 M("  map<string, int32> v = 2;\n"),
	 P3 M("  map<string, int64> v = 2;\n"), "6:3",
	 "field 'v' changes its type from 'int32' to 'int64', at path '#/M/2'", "use a new number for the other type"},
	{"FIELD_LABEL_CHANGED", COMPAT_WIRE, P3 M("  string v = 2;\n"), P3 M("  repeated string v = 2;\n"), "6:3",
	 "field 'v' was singular and is repeated, at path '#/M/2'", "use a new number for the other label"},
	{"FIELD_LABEL_CHANGED", COMPAT_STRICT, P3 M("  string v = 2;\n"), P3 M("  optional string v = 2;\n"), "6:3",
	 "field 'v' was singular and is optional, at path '#/M/2'", "use a new number for the other label"},
	{"FIELD_ONEOF_CHANGED", COMPAT_WIRE, P3 M("  int32 v = 2;\n"), P3 M("  oneof o {\n    int32 v = 2;\n  }\n"),
	 "7:5", "field 'v' moves from no oneof to oneof o, at path '#/M/2'",
	 "leave the field in its oneof, or outside of it"},
	{"FIELD_DEFAULT_CHANGED", COMPAT_WIRE, P2 M("  optional int32 v = 2 [default = 1];\n"),
	 P2 M("  optional int32 v = 2;\n"), "6:3",
	 "the default of field 'v' changes from '1' to 'none', at path '#/M/2'",
	 "keep the default: it is what absent values of old data mean"},
	{"FIELD_RENAMED", COMPAT_WIRE_JSON, P3 M("  int32 v = 2;\n"), P3 M("  int32 w = 2;\n"), "6:3",
	 "field 'w' was called 'v', at path '#/M/2'", "keep the name, or set json_name to the old one"},
	{"FIELD_RENAMED", COMPAT_STRICT, P3 M("  int32 v = 2;\n"), P3 M("  int32 w = 2 [json_name = \"v\"];\n"), "6:3",
	 "field 'w' was called 'v', at path '#/M/2'", "keep the name"},
	{"FIELD_JSON_NAME_CHANGED", COMPAT_WIRE_JSON, P3 M("  int32 v = 2;\n"),
	 P3 M("  int32 v = 2 [json_name = \"x\"];\n"), "6:3",
	 "the name in JSON changes from 'v' to 'x', at path '#/M/2'", "keep the name that JSON has for it"},
	{"RESERVED_NUMBER_FREED", COMPAT_WIRE, P3 M("  reserved 2;\n"), P3 M("  int32 u = 1;\n  int32 v = 2;\n"), "7:3",
	 "number 2 was reserved and is no longer, at path '#/M'", "keep it reserved; old data may still hold it"},
	{"RESERVED_NUMBER_FREED", COMPAT_WIRE, P3 M("  reserved 2, 3 to 5;\n"), P3 M("\n  reserved 2;\n"), "7:12",
	 "numbers 3 to 5 were reserved, and not all of them are any longer, at path '#/M'",
	 "keep it reserved; old data may still hold it"},
	{"RESERVED_NUMBER_FREED", COMPAT_WIRE, P3 M("  reserved 2;\n"), P3 M(""), "5:1",
	 "number 2 was reserved and is no longer, at path '#/M'", "keep it reserved; old data may still hold it"},
	{"RESERVED_NUMBER_FREED", COMPAT_WIRE, P3 E("  reserved 2;\n"), P3 E("  B = 1;\n  C = 2;\n"), "8:3",
	 "number 2 was reserved and is no longer, at path '#/E'", "keep it reserved; old data may still hold it"},
	{"RESERVED_NUMBER_FREED", COMPAT_WIRE, P3 E("  reserved 2, 5 to 9;\n"), P3 E("  reserved 2;\n"), "7:12",
	 "numbers 5 to 9 were reserved, and not all of them are any longer, at path '#/E'",
	 "keep it reserved; old data may still hold it"},
	{"RESERVED_NAME_FREED", COMPAT_WIRE_JSON, P3 M("  reserved \"v\";\n"), P3 M("  int32 u = 1;\n  int32 v = 2;\n"),
	 "7:3", "the name 'v' was reserved and is no longer, at path '#/M'",
	 "keep the name reserved; old JSON may still hold it"},
	{"RESERVED_NAME_FREED", COMPAT_WIRE_JSON, P3 M("  reserved \"v\", \"w\";\n"),
	 P3 M("  int32 u = 1;\n  reserved \"w\";\n"), "7:12",
	 "the name 'v' was reserved and is no longer, at path '#/M'",
	 "keep the name reserved; old JSON may still hold it"},
	{"RESERVED_NAME_FREED", COMPAT_WIRE_JSON, P3 E("  reserved \"C\";\n"), P3 E("  B = 1;\n  C = 2;\n"), "8:3",
	 "the name 'C' was reserved and is no longer, at path '#/E'",
	 "keep the name reserved; old JSON may still hold it"},
	{"ENUM_VALUE_REMOVED", COMPAT_STRICT, P3 E("  B = 1;\n"), P3 E(""), "5:1",
	 "value 'B' = 1 is gone, at path '#/E/B'", "keep the value, and mark it deprecated"},
	{"ENUM_VALUE_REMOVED_UNRESERVED", COMPAT_WIRE, P3 E("  B = 1;\n"), P3 E(""), "5:1",
	 "value 'B' is gone and its number 1 is not reserved, at path '#/E/B'", "reserve its number, and its name"},
	{"ENUM_VALUE_REMOVED_UNRESERVED", COMPAT_WIRE_JSON, P3 E("  B = 1;\n"), P3 E("  reserved 1;\n"), "5:1",
	 "value 'B' is gone and its name is not reserved, at path '#/E/B'", "reserve its name"},
	{"ENUM_VALUE_RENAMED", COMPAT_WIRE_JSON, P3 E("  B = 1;\n"), P3 E("  C = 1;\n"), "7:3",
	 "value 'C' was called 'B', at path '#/E/C'", "keep the name: it is what JSON holds"},
	{"ENUM_VALUE_NUMBER_CHANGED", COMPAT_WIRE, P3 E("  B = 1;\n"), P3 E("  B = 2;\n"), "7:3",
	 "value 'B' had number 1 and has 2, at path '#/E/B'",
	 "give the value its old number back, or a new name: old data means it by that number"},
	{"ENUM_REMOVED", COMPAT_STRICT, P3 M("") E(""), P3 M(""), "4:1", "enum 'E' is gone, at path '#/E'",
	 "keep the enum"},
	{"ENUM_REMOVED", COMPAT_STRICT, P3 M(E("")), P3 M(""), "5:1", "enum 'E' is gone, at path '#/M/E'",
	 "keep the enum"},
	{"EXTENSION_REMOVED", COMPAT_WIRE,
	 P2 M("  extensions 100 to 199;\n") "extend M {\n  optional int32 v = 100;\n}\n",
	 P2 M("  extensions 100 to 199;\n"), "5:1",
	 "extension 'p.v' of 'p.M' with number 100 is gone, at path '#/[p.v]'",
	 "keep it, or take its number out of the message's extensions and reserve it there"},
	{"EXTENSION_REMOVED", COMPAT_STRICT,
	 P2 M("  extensions 100 to 199;\n") "extend M {\n  optional int32 v = 100;\n  optional int32 w = 101;\n}\n",
	 P2 M("  extensions 100 to 199;\n") "extend M {\n  optional int32 w = 101;\n}\n", "9:3",
	 "extension 'p.v' of 'p.M' with number 100 is gone, at path '#/[p.v]'",
	 "keep the extension, and mark it deprecated"},
	{"EXTENSION_REMOVED", COMPAT_WIRE,
	 P2 "import \"google/protobuf/descriptor.proto\";\n" M(
		 "") "extend google.protobuf.FieldOptions {\n  optional int32 v = 50000;\n}\n",
	 P2 "import \"google/protobuf/descriptor.proto\";\n" M(""), "4:1",
	 "extension 'p.v' of 'google.protobuf.FieldOptions' with number 50000 is gone, at path '#/[p.v]'",
	 "keep it, or take its number out of the message's extensions and reserve it there"},
	{"EXTENSION_NUMBER_CHANGED", COMPAT_WIRE,
	 P2 M("  extensions 100 to 199;\n") "extend M {\n  optional int32 v = 100;\n}\n",
	 P2 M("  extensions 100 to 199;\n") "extend M {\n  optional int32 v = 101;\n}\n", "9:3",
	 "extension 'p.v' had number 100 and has 101, at path '#/[p.v]'",
	 "give the extension its old number back, or a new name: old data has its value there"},
	{"EXTENSION_EXTENDEE_CHANGED", COMPAT_WIRE,
	 P2 M("  extensions 100 to 199;\n") "message N {\n  extensions 100;\n}\nextend M {\n  optional int32 v = "
					    "100;\n}\n",
	 P2 M("  extensions 100 to 199;\n") "message N {\n  extensions 100;\n}\nextend N {\n  optional int32 v = "
					    "100;\n}\n",
	 "12:3", "extension 'p.v' extended 'p.M' and extends 'p.N', at path '#/[p.v]'",
	 "keep the extension, and give that of the other message another name"},
	{"EXTENSION_RANGE_REMOVED", COMPAT_WIRE, P2 M("  extensions 100 to 199;\n"), P2 M("  extensions 100 to 150;\n"),
	 "6:14", "numbers 100 to 199 were left to extensions, and not all of them are any longer, at path '#/M'",
	 "keep the range, or reserve it: extensions in other files may use it"},
	{"EXTENSION_RANGE_REMOVED", COMPAT_WIRE, P2 M("  extensions 100;\n"), P2 M(""), "5:1",
	 "number 100 was left to extensions and is no longer, at path '#/M'",
	 "keep the range, or reserve it: extensions in other files may use it"},
	{"EXTENSION_RANGE_REMOVED", COMPAT_STRICT, P2 M("  extensions 100 to 199;\n"), P2 M("  reserved 100 to 199;\n"),
	 "5:1", "numbers 100 to 199 were left to extensions, and not all of them are any longer, at path '#/M'",
	 "keep the range: extensions in other files may use it"},
	{"FIELD_TYPE_CHANGED", COMPAT_WIRE,
	 P2 M("  extensions 100 to 199;\n  message N {\n    extend M {\n      optional int32 v = 100;\n    }\n  }\n"),
	 P2 M("  extensions 100 to 199;\n  message N {\n    extend M {\n      optional bytes v = 100;\n    }\n  }\n"),
	 "9:7", "field 'v' changes its type from 'int32' to 'bytes', at path '#/[p.M.N.v]'",
	 "use a new number for the other type"},
	{"FIELD_JSON_NAME_CHANGED", COMPAT_WIRE_JSON,
	 P2 M("  extensions 100 to 199;\n") "extend M {\n  optional int32 v = 100;\n}\n",
	 P2 M("  extensions 100 to 199;\n") "extend M {\n  optional int32 w = 100;\n}\n", "9:3",
	 "the name in JSON changes from '[p.v]' to '[p.w]', at path '#/[p.w]'", "keep the name that JSON has for it"},
	{"RPC_REMOVED", COMPAT_STRICT, P3 S("  rpc Go(M) returns (M);\n"), P3 S(""), "6:1",
	 "rpc 'Go' is gone, at path '#/S/Go'", "keep the rpc, and mark it deprecated"},
	{"RPC_CHANGED", COMPAT_WIRE, P3 S("  rpc Go(M) returns (M);\n"), P3 S("  rpc Go(M) returns (stream M);\n"),
	 "7:3", "rpc 'Go' has another request, answer, stream or idempotency, at path '#/S/Go'", "add an rpc instead"},
	{"SERVICE_REMOVED", COMPAT_STRICT, P3 S(""), P3 "message M {}\n", "4:1", "service 'S' is gone, at path '#/S'",
	 "keep the service"},
	{"FILE_OPTION_CHANGED", COMPAT_STRICT, P3 "option go_package = \"a\";\n" M(""),
	 P3 "option java_multiple_files = false;\noption go_package = \"b\";\n" M(""), "6:1",
	 "the option go_package changes from 'a' to 'b', at path '#/'", "keep the options that name generated code"},
	{"FILE_OPTION_CHANGED", COMPAT_STRICT, P3 "option go_package = \"a\";\n" M(""), P3 M(""), "4:1",
	 "the option go_package changes from 'a' to '', at path '#/'", "keep the options that name generated code"},
	{"SYNTAX_CHANGED", COMPAT_STRICT, P2 M(""), P3 M(""), "3:1",
	 "the syntax changes from proto2 to proto3, at path '#/'", "keep the syntax"},
	{"SYNTAX_CHANGED", COMPAT_WIRE_JSON, P3 M(""), P2 M(""), "3:1",
	 "the syntax changes from proto3 to proto2, at path '#/'", "keep the syntax"},
};

#define R(rest) "{\n 'type': 'record', 'name': 'R', 'namespace': 'n', 'fields': [\n" rest "]}"
#define F(type) "  {'name': 'v', 'type': " type "}"

static const struct row avro_rows[] = {
	{"NAME_MISMATCH", COMPAT_BACKWARD, R(""), "{\n 'type': 'record',\n 'name': 'Q', 'fields': []}", "3:10",
	 "the name 'Q' of the new schema is 'n.R' in the old schema, at path '/name'",
	 "keep the name, or list the older one among the aliases"},
	{"FIXED_SIZE_MISMATCH", COMPAT_BACKWARD, R(F("{'type': 'fixed', 'name': 'X', 'size': 4}")),
	 R(F("{'type': 'fixed', 'name': 'X',\n    'size': 8}")), "4:13",
	 "the size 8 of the new schema is 4 in the old schema, at path '/fields/0/type/size'",
	 "give the other size another name, in a new field"},
	{"MISSING_ENUM_SYMBOLS", COMPAT_BACKWARD, R(F("{'type': 'enum', 'name': 'E', 'symbols': ['A', 'B']}")),
	 R(F("{'type': 'enum', 'name': 'E',\n    'symbols': ['A']}")), "4:16",
	 "the new schema lacks the symbols [B] of the old schema's enum at path '/fields/0/type/symbols'",
	 "keep the symbols, or give the enum a default that stands for unknown ones"},
	{"MISSING_ENUM_SYMBOLS", COMPAT_FORWARD, R(F("{'type': 'enum', 'name': 'E', 'symbols': ['A']}")),
	 R(F("{'type': 'enum', 'name': 'E',\n    'symbols': ['A', 'B']}")), "4:16",
	 "the old schema lacks the symbols [B] of the new schema's enum at path '/fields/0/type/symbols'",
	 "leave out what the old enum does not know, since it has no default that stands for it"},
	{"READER_FIELD_MISSING_DEFAULT_VALUE", COMPAT_BACKWARD, R(""), R(F("'int'")), "3:3",
	 "field 'v' of the new schema has no default and is missing in the old schema, at path '/fields/0'",
	 "give the field a default"},
	{"READER_FIELD_MISSING_DEFAULT_VALUE", COMPAT_FORWARD, R(F("'int'")), R(""), "2:28",
	 "field 'v' of the old schema has no default and is missing in the new schema, at path '/fields/0'",
	 "keep the field"},
	{"MISSING_UNION_BRANCH", COMPAT_BACKWARD, R(F("['null', 'int', 'string']")), R(F("['null',\n   'int']")),
	 "3:25",
	 "the union of the new schema has no branch for type 'string' of the old schema, at path '/fields/0/type/2'",
	 "add the type to the union"},
	{"MISSING_UNION_BRANCH", COMPAT_FORWARD, R(F("['null', 'int']")), R(F("['null',\n   'int', 'string']")), "4:11",
	 "the union of the old schema has no branch for type 'string' of the new schema, at path '/fields/0/type/2'",
	 "leave the type out of the union"},
	{"NAME_MISMATCH", COMPAT_FORWARD, R(""), "{\n 'type': 'record',\n 'name': 'Q', 'fields': []}", "3:10",
	 "the name 'n.R' of the old schema is 'Q' in the new schema, at path '/name'", "keep the name"},
	{"TYPE_MISMATCH", COMPAT_BACKWARD, R(F("'long'")), R(F("\n   'int'")), "4:4",
	 "type 'int' of the new schema cannot read type 'long' of the old schema, at path '/fields/0/type'",
	 "a type may only widen: int, long, float, double; or use a new field"},
	{"TYPE_MISMATCH", COMPAT_BACKWARD, R(F("{'type': 'array', 'items': 'long'}")),
	 R(F("{'type': 'array',\n    'items': 'int'}")), "4:14",
	 "type 'int' of the new schema cannot read type 'long' of the old schema, at path '/fields/0/type/items'",
	 "a type may only widen: int, long, float, double; or use a new field"},
	{"TYPE_MISMATCH", COMPAT_FORWARD, R(F("'int'")), R(F("\n   'long'")), "4:4",
	 "type 'int' of the old schema cannot read type 'long' of the new schema, at path '/fields/0/type'",
	 "keep the type, or use a new field: the old schema reads no wider one"},
	{"DEFAULT_DOES_NOT_FIT", COMPAT_WIRE, R(""), R("  {'name': 'v', 'type': 'int', 'default': 'x'}"), "3:43",
	 "the default of field 'v' is no value of its type, so no reader can use it, at path '/fields/0/default'",
	 "give a default of the field's type (of a union: of its first branch)"},
	{"DEFAULT_CHANGED", COMPAT_STRICT, R("  {'name': 'v', 'type': 'int', 'default': 1}"),
	 R("  {'name': 'v', 'type': 'int',\n   'default': 2}"), "4:15",
	 "the default of field 'v' changes, at path '/fields/0/default'", "keep the default"},
	{"DEFAULT_CHANGED", COMPAT_STRICT, R("  {'name': 'v', 'type': 'int', 'default': 1}"),
	 R("  {'name': 'v', 'type': 'int'}"), "3:3", "the default of field 'v' changes, at path '/fields/0'",
	 "keep the default"},
	{"FIELD_RENAMED", COMPAT_WIRE_JSON, R("  {'name': 'v', 'type': 'int', 'default': 1}"),
	 R("  {'name': 'w', 'type': 'int', 'default': 1, 'aliases': ['v']}"), "3:3",
	 "field 'w' was called 'v', at path '/fields/0'", "keep the name: it is what JSON holds"},
	{"FIELD_REMOVED", COMPAT_STRICT, R("  {'name': 'v', 'type': 'int', 'default': 1}"), R(""), "2:61",
	 "field 'v' of 'n.R' is gone, at path '/fields'", "keep the field"},
	{"FIELD_REMOVED", COMPAT_STRICT,
	 R("  {'name': 'v', 'type': 'int', 'default': 1}, {'name': 'w', 'type': 'int', 'default': 1}"), R(""), "2:61",
	 "fields 'v', 'w' of 'n.R' are gone, at path '/fields'", "keep the fields"},
	{"SYMBOL_REMOVED", COMPAT_STRICT, R(F("{'type': 'enum', 'name': 'E', 'symbols': ['A', 'B'], 'default': 'A'}")),
	 R(F("{'type': 'enum', 'name': 'E',\n    'symbols': ['A'], 'default': 'A'}")), "4:16",
	 "symbol 'B' is gone, at path '/fields/0/type/symbols'", "keep the symbol"},
	{"LOGICAL_TYPE_CHANGED", COMPAT_WIRE, R(F("{'type': 'long', 'logicalType': 'timestamp-millis'}")),
	 R(F("\n   {'type': 'long',\n    'logicalType': 'timestamp-micros'}")), "5:20",
	 "the logical type changes from 'timestamp-millis' to 'timestamp-micros', at path '/fields/0/type/logicalType'",
	 "use a new field for the other meaning"},
	{"DECIMAL_CHANGED", COMPAT_WIRE,
	 R(F("{'type': 'bytes', 'logicalType': 'decimal', 'precision': 4, 'scale': 2}")),
	 R(F("{'type': 'bytes', 'logicalType': 'decimal', 'precision': 4,\n    'scale': 0}")), "4:14",
	 "the decimal's scale changes from 2 to 0, at path '/fields/0/type/scale'",
	 "use a new field for the other precision or scale"},
	{"TYPE_CHANGED", COMPAT_WIRE, R(F("'bytes'")), R(F("\n   'string'")), "4:4",
	 "the type changes from 'bytes' to 'string', at path '/fields/0/type'",
	 "use a new field: bytes need not be UTF-8"},
	{"TYPE_CHANGED", COMPAT_WIRE_JSON, R(F("'string'")), R(F("\n   'bytes'")), "4:4",
	 "the type changes from 'string' to 'bytes', at path '/fields/0/type'",
	 "use a new field: JSON has another form for bytes"},
	{"TYPE_CHANGED", COMPAT_STRICT, R(F("'int'")), R(F("\n   ['int']")), "4:4",
	 "the union has other branches, at path '/fields/0/type'", "use a new field"},
	{"TYPE_RENAMED", COMPAT_WIRE_JSON, R(""),
	 "{\n 'type': 'record', 'name': 'R',\n 'namespace': 'm', 'fields': []}", "2:28",
	 "'m.R' was called 'n.R', at path '/name'", "keep name and namespace"},
};

/* The text with double quotes for single ones, which C would have to escape. */
static char *unquoted(const char *text)
{
	char *copy = xstrdup(text);

	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	return copy;
}

/* The only finding, in the text that was parsed. False: it is another one, and was printed. */
static bool has_finding(enum schema_format format, const struct row *row, const char *old_text, const char *text)
{
	struct schema *old = parse_with(format, old_text, NULL, 0);
	struct schema *update = parse_with(format, text, NULL, 0);
	const struct compat_finding *finding;
	struct compat_report report;
	char place[32];
	size_t line;
	size_t column;
	bool is_right;

	compat_report_init(&report);
	assert_false(compat_check(row->level, update, (const struct schema *const[]){old}, 1, &report));
	finding = &report.items[0];
	assert_ptr_equal(finding->place.schema, update);
	schema_locate(format, bytes_of_text(text), finding->place.pointer, &line, &column);
	(void)snprintf(place, sizeof(place), "%zu:%zu", line, column); /* two numbers fit */
	is_right = report.count == 1 && strcmp(finding->type, row->type) == 0 && strcmp(place, row->place) == 0 &&
		   strcmp(finding->description, row->description) == 0 && strcmp(finding->hint, row->hint) == 0;
	if (!is_right)
		print_error("%s is\n  %s\n  \"%s\",\n  \"%s\",\n  \"%s\"\n  and %zu more\n", row->type, finding->type,
			    place, finding->description, finding->hint, report.count - 1);
	compat_report_release(&report);
	schema_unref(old);
	schema_unref(update);
	return is_right;
}

static void findings_of_protobuf_have_place_reason_and_hint(void **state)
{
	bool are_right = true;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(protobuf_rows); i++)
		are_right &= has_finding(SCHEMA_FORMAT_PROTOBUF, &protobuf_rows[i], protobuf_rows[i].old,
					 protobuf_rows[i].update);
	assert_true(are_right);
}

static void findings_of_avro_have_place_reason_and_hint(void **state)
{
	bool are_right = true;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(avro_rows); i++) {
		_cleanup_(freep)
		char *old = unquoted(avro_rows[i].old);
		_cleanup_(freep)
		char *update = unquoted(avro_rows[i].update);

		are_right &= has_finding(SCHEMA_FORMAT_AVRO, &avro_rows[i], old, update);
	}
	assert_true(are_right);
}

/* Nothing in the new text is to be mended: it is about the whole. */
static void another_format_is_found_at_the_beginning(void **state)
{
	struct schema *avro = parse_avro("\n\"int\"");
	struct schema *protobuf = parse_protobuf(P3 M(""));
	struct compat_report report;

	(void)state;
	compat_report_init(&report);
	assert_false(compat_check(COMPAT_BACKWARD, protobuf, (const struct schema *const[]){avro}, 1, &report));
	assert_string_equal(report.items[0].type, "SCHEMA_TYPE_CHANGED");
	assert_string_equal(report.items[0].description,
			    "the new schema is of type PROTOBUF, the old one of type AVRO");
	assert_string_equal(report.items[0].hint, "register it under another subject");
	assert_string_equal(report.items[0].place.pointer, "");
	compat_report_release(&report);
	schema_unref(avro);
	schema_unref(protobuf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_of_protobuf_have_place_reason_and_hint),
		cmocka_unit_test(findings_of_avro_have_place_reason_and_hint),
		cmocka_unit_test(another_format_is_found_at_the_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
