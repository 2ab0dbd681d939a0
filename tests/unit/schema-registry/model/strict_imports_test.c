/* strict_imports_test.c - WIRE, WIRE_JSON and STRICT over files that import each other: what breaks there, what may move. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

#include "lib/base/memory.h"

enum { FILES_MAX = 4 };

#define P3 "syntax = \"proto3\";\npackage p;\n"
#define P2 "syntax = \"proto2\";\npackage p;\n"
#define USE(name) "import \"" name "\";\n"
#define MONEY "message Money {\n  int64 minor = 1;\n}\n"
#define ORDER "message Order {\n  Money total = 1;\n}\n"

struct file {
	const char *name;
	const char *text;
};

/* Files in the order of their imports; each refers to all before it. The last one is what is checked. */
struct tree {
	struct file files[FILES_MAX];
	const char *beside; /* of the tree, and imported by none; NULL: none */
};

struct parsed_tree {
	struct schema *schemas[FILES_MAX];
	const char *names[FILES_MAX];
	const char *texts[FILES_MAX];
	size_t count;
	struct schema *beside;
	const char *beside_text;
};

static struct parsed_tree parse_tree(const struct tree *tree)
{
	struct parsed_tree parsed = {0};
	struct schema_reference references[FILES_MAX];

	for (size_t i = 0; i < FILES_MAX && tree->files[i].name; i++) {
		struct schema *schema = parse_with(SCHEMA_FORMAT_PROTOBUF, tree->files[i].text, references, i);

		references[i] = (struct schema_reference){tree->files[i].name, schema};
		parsed.names[i] = tree->files[i].name;
		parsed.texts[i] = tree->files[i].text;
		parsed.schemas[parsed.count++] = schema;
	}
	parsed.beside = tree->beside ? parse_protobuf(tree->beside) : NULL;
	parsed.beside_text = tree->beside;
	return parsed;
}

static void release_tree(struct parsed_tree *parsed)
{
	for (size_t i = 0; i < parsed->count; i++)
		schema_unref(parsed->schemas[i]);
	schema_unref(parsed->beside);
}

/* "file:line:col RULE", in the order in which they are told. */
static void append_finding(const struct parsed_tree *update, const struct compat_finding *finding, struct buffer *out)
{
	const char *name = "beside";
	const char *text = NULL;
	size_t line;
	size_t column;

	for (size_t i = 0; i < update->count; i++) {
		if (update->schemas[i] == finding->place.schema) {
			name = update->names[i];
			text = update->texts[i];
		}
	}
	assert_true(text || finding->place.schema == update->beside);
	if (!text)
		text = update->beside_text;
	schema_locate(SCHEMA_FORMAT_PROTOBUF, bytes_of_text(text), finding->place.pointer, &line, &column);
	buffer_append_format(out, "%s%s:%zu:%zu %s", out->len > 0 ? ", " : "", name, line, column, finding->type);
}

static void expect_at(enum compat_level level, const struct tree *old_tree, const struct tree *new_tree,
		      const char *expected)
{
	struct parsed_tree old = parse_tree(old_tree);
	struct parsed_tree update = parse_tree(new_tree);
	const struct schema *before = old.schemas[old.count - 1];
	const struct schema *beside[] = {update.beside};
	const struct compat_update checked = {
		.schema = update.schemas[update.count - 1], .beside = beside, .beside_count = update.beside ? 1 : 0};
	_cleanup_(buffer_release)
	struct buffer found = {0};
	struct compat_report report;
	bool fits;

	compat_report_init(&report);
	fits = compat_check_in_tree(level, &checked, &before, 1, &report);
	for (size_t i = 0; i < report.count; i++)
		append_finding(&update, &report.items[i], &found);
	if (strcmp(buffer_text(&found), expected) != 0)
		fail_msg("%s: expected '%s', found '%s'", compat_level_name(level), expected, buffer_text(&found));
	assert_true(fits == (report.count == 0));
	compat_report_release(&report);
	release_tree(&old);
	release_tree(&update);
}

static void expect(const struct tree *old, const struct tree *update, const char *backward, const char *wire,
		   const char *wire_json, const char *strict)
{
	expect_at(COMPAT_BACKWARD, old, update, backward);
	expect_at(COMPAT_WIRE, old, update, wire);
	expect_at(COMPAT_WIRE_JSON, old, update, wire_json);
	expect_at(COMPAT_STRICT, old, update, strict);
}

static const struct tree apart = {{{"money.proto", P3 MONEY}, {"order.proto", P3 USE("money.proto") ORDER}}, NULL};
static const struct tree together = {{{"order.proto", P3 MONEY ORDER}}, NULL};

static void a_break_in_an_import_is_told_there(void **state)
{
	static const struct tree renumbered = {{{"money.proto", P3 "message Money {\n\n  int64 minor = 2;\n}\n"},
						{"order.proto", P3 USE("money.proto") ORDER}},
					       NULL};
	static const struct tree wider = {{{"money.proto", P3 "message Money {\n  uint64 minor = 1;\n}\n"},
					   {"order.proto", P3 USE("money.proto") ORDER}},
					  NULL};

	(void)state;
	expect(&apart, &apart, "", "", "", "");
	expect(&apart, &renumbered, "", "money.proto:5:3 FIELD_NUMBER_CHANGED", "money.proto:5:3 FIELD_NUMBER_CHANGED",
	       "money.proto:5:3 FIELD_NUMBER_CHANGED");
	expect(&apart, &wider, "", "", "", "money.proto:4:3 FIELD_TYPE_CHANGED");
}

static void an_imported_enum_and_an_unused_message_are_looked_at(void **state)
{
#define OWN "message M {\n  E e = 1;\n}\n"
#define REST "message Other {\n  string id = 1;\n}\n"
	static const struct tree old = {
		{{"e.proto", P3 "enum E {\n  A = 0;\n  B = 1;\n}\n" REST}, {"m.proto", P3 USE("e.proto") OWN}}, NULL};
	static const struct tree update = {
		{{"e.proto", P3 "\nenum E {\n  A = 0;\n}\nmessage Other {\n  int32 id = 1;\n}\n"},
		 {"m.proto", P3 USE("e.proto") OWN}},
		NULL};
	static const struct tree without = {
		{{"e.proto", P3 "enum E {\n  A = 0;\n  B = 1;\n}\n"}, {"m.proto", P3 USE("e.proto") OWN}}, NULL};

	(void)state;
	expect_at(COMPAT_BACKWARD, &old, &update, "");
	expect_at(COMPAT_WIRE, &old, &update,
		  "e.proto:8:3 FIELD_SCALAR_KIND_CHANGED, e.proto:4:1 ENUM_VALUE_REMOVED_UNRESERVED");
	expect(&old, &without, "", "", "", ""); /* what nobody uses is the affair of its own file */
#undef OWN
#undef REST
}

static void what_two_files_import_is_told_once(void **state)
{
	static const struct tree old = {
		{{"money.proto", P3 MONEY},
		 {"price.proto", P3 USE("money.proto") "message Price {\n  Money money = 1;\n}\n"},
		 {"tax.proto", P3 USE("money.proto") "message Tax {\n  Money money = 1;\n}\n"},
		 {"bill.proto",
		  P3 USE("price.proto") USE("tax.proto") "message Bill {\n  Price price = 1;\n  Tax tax = 2;\n}\n"}},
		NULL};
	struct tree update = old;

	(void)state;
	update.files[0].text = P3 "message Money {\n  string minor = 1;\n}\n";
	expect(&old, &update, "money.proto:4:3 FIELD_SCALAR_KIND_CHANGED", "money.proto:4:3 FIELD_SCALAR_KIND_CHANGED",
	       "money.proto:4:3 FIELD_SCALAR_KIND_CHANGED", "money.proto:4:3 FIELD_SCALAR_KIND_CHANGED");
	update.files[0].text = P3 "message Money {\n  int64 cents = 1;\n}\n";
	expect(&old, &update, "", "", "money.proto:4:3 FIELD_RENAMED", "money.proto:4:3 FIELD_RENAMED");
}

static void a_type_may_move_into_an_import_and_back(void **state)
{
	static const struct tree changed = {{{"money.proto", P3 "message Money {\n  int64 minor = 7;\n}\n"},
					     {"order.proto", P3 USE("money.proto") ORDER}},
					    NULL};

	(void)state;
	expect(&together, &apart, "money.proto:3:1 MESSAGE_REMOVED", "", "", "money.proto:3:1 MESSAGE_REMOVED");
	expect(&apart, &together, "", "", "", "");
	expect_at(COMPAT_WIRE, &together, &changed, "money.proto:4:3 FIELD_NUMBER_CHANGED");
	expect_at(COMPAT_WIRE, &changed, &together, "order.proto:4:3 FIELD_NUMBER_CHANGED");
}

static void a_type_may_move_between_imports(void **state)
{
#define ALL P3 USE("a.proto") USE("b.proto") "message M {\n  Money money = 1;\n  X x = 2;\n  Y y = 3;\n}\n"
	static const struct tree old = {
		{{"a.proto", P3 MONEY "message X {}\n"}, {"b.proto", P3 "message Y {}\n"}, {"m.proto", ALL}}, NULL};
	static const struct tree moved = {
		{{"a.proto", P3 "message X {}\n"}, {"b.proto", P3 "message Y {}\n" MONEY}, {"m.proto", ALL}}, NULL};
	struct tree changed = moved;

	(void)state;
	changed.files[1].text = P3 "message Y {}\nmessage Money {\n  sint64 minor = 1;\n}\n";
	expect(&old, &moved, "", "", "", "");
	expect_at(COMPAT_WIRE, &old, &changed, "b.proto:5:3 FIELD_SCALAR_KIND_CHANGED");
#undef ALL
}

static void an_enum_may_move_into_an_import(void **state)
{
#define E "enum E {\n  A = 0;\n  B = 1;\n}\n"
#define M "message M {\n  E e = 1;\n}\n"
	static const struct tree old = {{{"m.proto", P3 E M}}, NULL};
	static const struct tree moved = {{{"e.proto", P3 E}, {"m.proto", P3 USE("e.proto") M}}, NULL};
	static const struct tree changed = {
		{{"e.proto", P3 "enum E {\n  A = 0;\n  B = 2;\n}\n"}, {"m.proto", P3 USE("e.proto") M}}, NULL};

	(void)state;
	expect(&old, &moved, "", "", "", "m.proto:2:1 ENUM_REMOVED");
	expect(&moved, &old, "", "", "", "");
	expect_at(COMPAT_WIRE, &old, &changed, "e.proto:5:3 ENUM_VALUE_NUMBER_CHANGED");
#undef E
#undef M
}

static void a_service_may_move_into_an_import(void **state)
{
#define S(request) "service S {\n  rpc Go(" request ") returns (A);\n}\n"
#define A "message A {}\nmessage B {}\n"
	static const struct tree old = {{{"a.proto", P3 A}, {"m.proto", P3 USE("a.proto") S("A")}}, NULL};
	static const struct tree moved = {{{"a.proto", P3 A S("A")}, {"m.proto", P3 USE("a.proto")}}, NULL};
	static const struct tree changed = {{{"a.proto", P3 A S("B")}, {"m.proto", P3 USE("a.proto")}}, NULL};

	(void)state;
	expect(&old, &moved, "", "", "", "m.proto:2:1 SERVICE_REMOVED");
	expect_at(COMPAT_WIRE, &old, &changed, "a.proto:6:3 RPC_CHANGED");
#undef S
#undef A
}

/* Of a tree that is checked as a whole, a file may lose a type to one that it does not import. */
static void a_type_may_move_to_a_file_beside(void **state)
{
	static const struct tree old = {{{"a.proto", P3 MONEY "message A {}\nenum E {\n  Z = 0;\n  Y = 1;\n}\n"}},
					NULL};
	static const struct tree moved = {{{"a.proto", P3 "message A {}\n"}},
					  P3
					  "message Money {\n  int64 minor = 1;\n}\nenum E {\n  Z = 0;\n  Y = 1;\n}\n"};
	static const struct tree changed = {{{"a.proto", P3 "message A {}\n"}},
					    P3 "message Money {\n  string minor = 1;\n}\nenum E {\n  Z = 0;\n}\n"};
	static const struct tree gone = {{{"a.proto", P3 "message A {}\n"}}, P3 "message Coin {}\n"};

	(void)state;
	expect(&old, &moved, "a.proto:2:1 MESSAGE_REMOVED", "", "",
	       "a.proto:2:1 MESSAGE_REMOVED, a.proto:2:1 ENUM_REMOVED");
	expect_at(COMPAT_WIRE, &old, &changed,
		  "beside:4:3 FIELD_SCALAR_KIND_CHANGED, beside:6:1 ENUM_VALUE_REMOVED_UNRESERVED");
	expect_at(COMPAT_WIRE, &old, &gone, "a.proto:2:1 MESSAGE_REMOVED");
}

static void an_import_that_nobody_needs_may_go(void **state)
{
	static const struct tree old = {
		{{"money.proto", P3 MONEY}, {"a.proto", P3 USE("money.proto") "message A {}\n"}}, NULL};
	static const struct tree update = {{{"a.proto", P3 "message A {}\n"}}, NULL};

	(void)state;
	expect(&old, &update, "", "", "", "");
}

static void extensions_of_imports_are_looked_at(void **state)
{
#define BASE P2 "message M {\n  extensions 100 to 199;\n}\n"
#define TOP P2 USE("base.proto") USE("ext.proto") "message Top {\n  optional M m = 1;\n}\n"
#define EXT(fields) P2 USE("base.proto") "extend M {\n" fields "}\nmessage Plain {}\n"
	static const struct tree old = {{{"base.proto", BASE},
					 {"ext.proto", EXT("  optional int32 v = 100;\n  optional int32 w = 101;\n")},
					 {"top.proto", TOP}},
					NULL};
	struct tree update = old;

	(void)state;
	update.files[1].text = EXT("  optional string v = 100;\n  optional int32 w = 101;\n");
	expect_at(COMPAT_WIRE, &old, &update, "ext.proto:5:3 FIELD_TYPE_CHANGED");
	update.files[1].text = EXT("  optional int32 v = 100;\n");
	expect_at(COMPAT_WIRE, &old, &update, "ext.proto:5:3 EXTENSION_REMOVED");
	update.files[1].text = P2 USE("base.proto") "message Plain {}\n";
	update.files[2].text = TOP "extend M {\n  optional int32 v = 100;\n  optional int32 w = 101;\n}\n";
	expect(&old, &update, "", "", "", ""); /* moved, with its name */
#undef BASE
#undef TOP
#undef EXT
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_break_in_an_import_is_told_there),
		cmocka_unit_test(an_imported_enum_and_an_unused_message_are_looked_at),
		cmocka_unit_test(what_two_files_import_is_told_once),
		cmocka_unit_test(a_type_may_move_into_an_import_and_back),
		cmocka_unit_test(a_type_may_move_between_imports),
		cmocka_unit_test(an_enum_may_move_into_an_import),
		cmocka_unit_test(a_service_may_move_into_an_import),
		cmocka_unit_test(a_type_may_move_to_a_file_beside),
		cmocka_unit_test(an_import_that_nobody_needs_may_go),
		cmocka_unit_test(extensions_of_imports_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
