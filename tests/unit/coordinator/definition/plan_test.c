/* plan_test.c - definitions are bound to schemas, and commands are built as bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "coordinator/definition/plan_parts.h"
#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/wire_format.h"
#include "tests/unit/coordinator/definition/fake_schemas.h"

struct fixture {
	struct fake_schemas schemas;
	struct problems problems;
	struct arena arena;
	struct error err;
	struct plan *plan;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	fake_schemas_init(&f->schemas);
	problems_init(&f->problems);
	arena_init(&f->arena, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	plan_free(f->plan);
	fake_schemas_release(&f->schemas);
	problems_release(&f->problems);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static int bind_text(struct fixture *f, const char *text)
{
	return plan_bind("t.yaml", bytes_of_text(text), NULL, 0, &f->schemas.source, &f->plan, &f->problems, &f->err);
}

/* One problem `place: text` must be among those that were found. */
static void assert_problem(struct fixture *f, const char *expected)
{
	char all[8192] = "";

	for (size_t i = 0; i < problems_kept(&f->problems); i++) {
		char line[1200];

		(void)snprintf(line, sizeof(line), "%s: %s", f->problems.items[i].place, f->problems.items[i].text);
		if (strcmp(line, expected) == 0)
			return;
		strncat(all, line, sizeof(all) - strlen(all) - 1);
		strncat(all, "\n", sizeof(all) - strlen(all) - 1);
	}
	fail_msg("expected\n%s\namong\n%s", expected, all);
}

/* The definition binds, or all of what is wrong is printed. */
static void must_bind(struct fixture *f, const char *text)
{
	if (bind_text(f, text) == 0)
		return;
	for (size_t i = 0; i < problems_kept(&f->problems); i++)
		print_error("%s: %s\n", f->problems.items[i].place, f->problems.items[i].text);
	fail_msg("%s", f->err.msg);
}

static void bind_checkout(struct fixture *f)
{
	char *text = fake_schemas_read_file("deploy/shop/checkout.yaml");

	fake_schemas_add_shop(&f->schemas);
	must_bind(f, text);
	free(text);
}

static struct bytes encode_input(struct fixture *f, const char *json, const char **ret_key)
{
	struct buffer out = {0};
	struct value value;
	struct bytes input;

	assert_int_equal(value_parse_json(bytes_of_text(json), &f->arena, &value, &f->err), 0);
	if (plan_encode_input(f->plan, &value, &f->arena, &out, ret_key, &f->problems) < 0)
		fail_msg("%s: %s", f->problems.items[0].place, f->problems.items[0].text);
	input = arena_bytes(&f->arena, buffer_bytes(&out));
	buffer_release(&out);
	return input;
}

static const char CHECKOUT_JSON[] =
	"{\"order_id\":\"o-1\",\"user_id\":\"u-1\",\"total_amount_minor\":4999,\"currency\":\"USD\","
	"\"items\":[{\"product_id\":\"prod-1\",\"quantity\":2,\"price_minor\":2499}],\"force_inventory_fail\":false}";

/* Builds the command and answers its value as JSON, read back with the schema that its prefix names. */
static const char *build_json(struct fixture *f, const struct saga *saga, struct bytes input, const char *step,
			      enum step_phase phase)
{
	const int32_t index = plan_find_step(f->plan, step);
	struct buffer out = {0};
	struct buffer json = {0};
	struct wire_prefix prefix = {0};
	const struct schema *schema;
	struct bytes rest;
	struct value value;
	const char *text;

	assert_true(index >= 0);
	if (plan_build_command(f->plan, saga, input, index, phase, &f->arena, &out, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	assert_int_equal(wire_format_read_id(buffer_bytes(&out), &prefix.schema_id, &rest, &f->err), 0);
	assert_int_equal(f->schemas.source.by_id(&f->schemas, prefix.schema_id, &schema, &f->err), 0);
	if (schema_format(schema) == SCHEMA_FORMAT_PROTOBUF)
		assert_int_equal(wire_format_read_indexes(rest, &prefix, &rest, &f->err), 0);
	assert_int_equal(codec_decode(schema_root(schema), rest, &f->arena, &value, &f->err), 0);
	value_print_json(&value, &json);
	text = arena_strdup(&f->arena, buffer_text(&json));
	buffer_release(&out);
	buffer_release(&json);
	return text;
}

static struct saga *start(struct fixture *f)
{
	struct saga_event event;
	struct saga_effects effects;

	return saga_start(&f->plan->definition, uuid_v7_new(), 1000000, &f->arena, &event, &effects);
}

/* ---- the shop's checkout ---- */
static void binds_the_shops_checkout_to_both_formats(void **state)
{
	struct fixture *f = *state;
	const struct plan_step *reserve;

	bind_checkout(f);
	assert_string_equal(f->plan->definition.name, "checkout");
	assert_int_equal(f->plan->definition.step_count, 6);
	assert_int_equal(f->plan->schema_count, 23);
	assert_string_equal(f->plan->key_field, "order_id");
	assert_string_equal(f->plan->input->message, "shop.checkout.v1.CheckoutInput");
	reserve = &f->plan->steps[plan_find_step(f->plan, "reserve-inventory")];
	assert_string_equal(reserve->commands[STEP_PHASE_FORWARD].schema->content_type, "application/avro");
	assert_string_equal(reserve->commands[STEP_PHASE_FORWARD].schema->message_type, "ReserveInventory");
	assert_string_equal(f->plan->steps[0].commands[0].schema->content_type, "application/protobuf");
	assert_int_equal(f->plan->reply_topic_count, 13);
	assert_true(f->plan->steps[1].is_reply_kept);
	assert_true(f->plan->definition.steps[1].is_reply_needed);
	assert_false(f->plan->steps[0].is_reply_kept);
	assert_int_equal(definition_check(&f->plan->definition, &f->err), 0);
	assert_string_equal(f->plan->definition.steps[1].timed_out_milestone[STEP_PHASE_FORWARD],
			    "CHARGE_PAYMENT_TIMED_OUT");
}

static void fills_commands_by_equal_name_and_by_mapping(void **state)
{
	struct fixture *f = *state;
	const char *key;
	struct bytes input;
	struct saga *saga;

	bind_checkout(f);
	input = encode_input(f, CHECKOUT_JSON, &key);
	saga = start(f);
	assert_string_equal(key, "o-1");
	assert_string_equal(build_json(f, saga, input, "charge-payment", STEP_PHASE_FORWARD),
			    "{\"order_id\":\"o-1\",\"user_id\":\"u-1\",\"amount_minor\":4999,\"currency\":\"USD\"}");
	assert_string_equal(build_json(f, saga, input, "charge-payment", STEP_PHASE_COMPENSATION),
			    "{\"order_id\":\"o-1\",\"amount_minor\":4999,\"currency\":\"USD\"}");
	/* Records by common names: the price is left out. An absent boolean is false here, since it was given. */
	assert_string_equal(
		build_json(f, saga, input, "reserve-inventory", STEP_PHASE_FORWARD),
		"{\"order_id\":\"o-1\",\"items\":[{\"product_id\":\"prod-1\",\"quantity\":2}],\"force_fail\":false}");
}

static struct bytes wire_reply(struct fixture *f, const char *subject, const char *json)
{
	struct buffer out = {0};
	const struct schema *schema;
	struct value value;
	struct bytes reply;
	int32_t id;
	int32_t version;
	const int32_t first = 0;

	assert_int_equal(f->schemas.source.latest(&f->schemas, subject, &id, &version, &schema, &f->err), 0);
	assert_int_equal(value_parse_json(bytes_of_text(json), &f->arena, &value, &f->err), 0);
	wire_format_append_id(&out, id);
	if (schema_format(schema) == SCHEMA_FORMAT_PROTOBUF)
		wire_format_append_indexes(&out, &first, 1);
	assert_int_equal(codec_encode(schema_root(schema), &value, "", &out, &f->problems), 0);
	reply = arena_bytes(&f->arena, buffer_bytes(&out));
	buffer_release(&out);
	return reply;
}

static void fills_a_command_from_an_earlier_reply(void **state)
{
	struct fixture *f = *state;
	const char *key;
	struct bytes input;
	struct saga *saga;

	bind_checkout(f);
	input = encode_input(f, CHECKOUT_JSON, &key);
	saga = start(f);
	saga->steps[1].reply = wire_reply(f, "payment.charged-value", "{\"order_id\":\"o-1\",\"payment_id\":\"p-7\"}");
	assert_string_equal(build_json(f, saga, input, "confirm-order", STEP_PHASE_FORWARD),
			    "{\"order_id\":\"o-1\",\"payment_id\":\"p-7\"}");
}

static void reads_a_reply_in_a_later_version_of_its_schema(void **state)
{
	struct fixture *f = *state;
	const char *key;
	struct bytes input;
	struct saga *saga;

	bind_checkout(f);
	(void)fake_schemas_add(&f->schemas, "payment.charged-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; package shop.payment.v1; message PaymentCharged {"
			       " string order_id = 1; string payment_id = 2; string gateway = 9; }");
	input = encode_input(f, CHECKOUT_JSON, &key);
	saga = start(f);
	saga->steps[1].reply = wire_reply(f, "payment.charged-value", "{\"payment_id\":\"p-8\",\"gateway\":\"g\"}");
	assert_string_equal(build_json(f, saga, input, "confirm-order", STEP_PHASE_FORWARD),
			    "{\"order_id\":\"o-1\",\"payment_id\":\"p-8\"}");
}

static void understands_replies_by_header_then_by_topic(void **state)
{
	struct fixture *f = *state;
	const struct plan_reply *reply;
	const struct bytes none = {NULL, 0};

	bind_checkout(f);
	reply = plan_find_reply(f->plan, 1, STEP_PHASE_FORWARD, "payment.charged", none);
	assert_int_equal(reply->outcome, SAGA_EVENT_SUCCEEDED);
	assert_string_equal(reply->milestone, "PAYMENT_CHARGED");
	reply = plan_find_reply(f->plan, 1, STEP_PHASE_FORWARD, "payment.failed", bytes_of_text("rejected"));
	assert_int_equal(reply->outcome, SAGA_EVENT_REJECTED);
	assert_string_equal(reply->milestone, "PAYMENT_FAILED");
	reply = plan_find_reply(f->plan, 1, STEP_PHASE_COMPENSATION, "payment.refunded", bytes_of_text("retriable"));
	assert_int_equal(reply->outcome, SAGA_EVENT_RETRIABLE);
	assert_null(reply->milestone);
	reply = plan_find_reply(f->plan, 4, STEP_PHASE_FORWARD, "inventory.deducted", bytes_of_text("rejected"));
	assert_int_equal(reply->outcome, SAGA_EVENT_REJECTED);
	assert_null(plan_find_reply(f->plan, 1, STEP_PHASE_FORWARD, "order.created", none));
	assert_null(plan_find_reply(f->plan, 1, STEP_PHASE_FORWARD, "order.created", bytes_of_text("nonsense")));
	/* A word that nobody knows must not pass for the outcome that the topic stands for. */
	assert_null(plan_find_reply(f->plan, 1, STEP_PHASE_FORWARD, "payment.charged", bytes_of_text("REJECTED")));
	assert_int_equal(plan_find_step(f->plan, "no-such-step"), -1);
}

static void binds_again_to_pinned_schemas(void **state)
{
	struct fixture *f = *state;
	struct plan_pin pins[23];
	char *text;
	struct plan *again;

	bind_checkout(f);
	for (size_t i = 0; i < f->plan->schema_count; i++)
		pins[i] = (struct plan_pin){f->plan->schemas[i]->subject, f->plan->schemas[i]->version,
					    f->plan->schemas[i]->schema_id};
	/* The latest version of the command could not be filled any more. */
	(void)fake_schemas_add(&f->schemas, "payment.charge.command-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message ChargePayment { string card = 1; }");
	text = fake_schemas_read_file("deploy/shop/checkout.yaml");
	assert_int_equal(
		plan_bind("t.yaml", bytes_of_text(text), pins, 23, &f->schemas.source, &again, &f->problems, &f->err),
		0);
	assert_int_equal(again->steps[1].commands[0].schema->schema_id,
			 f->plan->steps[1].commands[0].schema->schema_id);
	plan_free(again);
	assert_int_equal(
		plan_bind("t.yaml", bytes_of_text(text), NULL, 0, &f->schemas.source, &again, &f->problems, &f->err),
		-1);
	free(text);
}

static void says_that_the_registry_is_away_instead_of_blaming_the_text(void **state)
{
	struct fixture *f = *state;
	char *text = fake_schemas_read_file("deploy/shop/checkout.yaml");

	fake_schemas_add_shop(&f->schemas);
	f->schemas.is_away = true;
	assert_int_equal(bind_text(f, text), -1);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_int_equal(f->problems.count, 0);
	assert_int_equal(f->schemas.asked, 1);
	free(text);
}

/* ---- inputs ---- */
static void refuses_an_input_with_every_misfit_at_its_place(void **state)
{
	struct fixture *f = *state;
	struct buffer out = {0};
	struct value value;
	const char *key;

	bind_checkout(f);
	assert_int_equal(
		value_parse_json(bytes_of_text("{\"order_id\":\"o\",\"totl\":1,\"items\":[{\"quantity\":\"x\"}]}"),
				 &f->arena, &value, &f->err),
		0);
	assert_int_equal(plan_encode_input(f->plan, &value, &f->arena, &out, &key, &f->problems), -1);
	assert_int_equal(f->problems.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(strcmp(f->problems.items[i].place, "input.totl") == 0 ||
			    strcmp(f->problems.items[i].place, "input.items[0].quantity") == 0);
	buffer_release(&out);
}

static void refuses_an_input_without_its_key(void **state)
{
	struct fixture *f = *state;
	struct buffer out = {0};
	struct value value;
	const char *key;

	bind_checkout(f);
	assert_int_equal(value_parse_json(bytes_of_text("{\"user_id\":\"u\"}"), &f->arena, &value, &f->err), 0);
	assert_int_equal(plan_encode_input(f->plan, &value, &f->arena, &out, &key, &f->problems), -1);
	assert_problem(f, "input.order_id: must not be empty: it is the saga's key");
	buffer_release(&out);
}

/* Not misfit, so no problem: the caller answers with a code of its own. */
static void tells_an_input_that_is_too_large_by_its_length(void **state)
{
	struct fixture *f = *state;
	struct buffer text = {0};
	struct buffer out = {0};
	struct value value;
	const char *key;

	bind_checkout(f);
	buffer_append_text(&text, "{\"order_id\":\"o\",\"user_id\":\"");
	for (int i = 0; i < PLAN_INPUT_BYTES_MAX; i++)
		buffer_append_byte(&text, 'x');
	buffer_append_text(&text, "\"}");
	assert_int_equal(value_parse_json(buffer_bytes(&text), &f->arena, &value, &f->err), 0);
	assert_int_equal(plan_encode_input(f->plan, &value, &f->arena, &out, &key, &f->problems), -1);
	assert_int_equal(f->problems.count, 0);
	assert_in_range(out.len, PLAN_INPUT_BYTES_MAX, PLAN_INPUT_BYTES_MAX + 100);
	buffer_release(&out);
	buffer_release(&text);
}

/* ---- what signals bring ---- */
static const char ORDER_PROTO[] = "syntax = \"proto3\"; package t; message Order { string order_id = 1; }";
static const char APPROVAL_PROTO[] = "syntax = \"proto3\"; package t; message Approval { string by = 1; int64 limit = "
				     "2; optional string note = 3; }";
static const char CHARGE_PROTO[] =
	"syntax = \"proto3\"; package t; message Charge { string by = 1; int64 limit = 2; optional string note = 3; }";

#define APPROVAL(more)                                                                                                 \
	"saga: s\nkey: order_id\nsteps:\n"                                                                             \
	"  - {id: approval, wait: {signal: approved, timeout: 1h" more "}}\n"                                          \
	"  - {id: charge, command: charge, replies: {succeeded: charged}, compensation: none,"                         \
	" fields: {by: approval.by, limit: approval.limit, note: approval.note}}\n"

static void bind_approval(struct fixture *f, const char *text)
{
	fake_schemas_add(&f->schemas, "s-input", SCHEMA_FORMAT_PROTOBUF, ORDER_PROTO);
	fake_schemas_add(&f->schemas, "approval", SCHEMA_FORMAT_PROTOBUF, APPROVAL_PROTO);
	fake_schemas_add(&f->schemas, "charge-value", SCHEMA_FORMAT_PROTOBUF, CHARGE_PROTO);
	fake_schemas_add(&f->schemas, "charged-value", SCHEMA_FORMAT_PROTOBUF, ORDER_PROTO);
	if (text)
		must_bind(f, text);
}

static void fills_a_command_from_what_a_signal_brought(void **state)
{
	struct fixture *f = *state;
	struct buffer out = {0};
	struct value value;
	struct saga *saga;

	bind_approval(f, APPROVAL(", value: approval"));
	assert_string_equal(f->plan->steps[0].value->subject, "approval");
	assert_int_equal(plan_encode_signal(f->plan, 0,
					    bytes_of_text("{\"limit\":\"9007199254740993\",\"by\":\"ann\"}"), &out,
					    &f->problems),
			 0);
	assert_int_equal(plan_decode_reply(f->plan, buffer_bytes(&out), &f->arena, &value, &f->err), 0);
	saga = start(f);
	saga->steps[0].reply = arena_bytes(&f->arena, buffer_bytes(&out));
	assert_string_equal(build_json(f, saga, (struct bytes){0}, "charge", STEP_PHASE_FORWARD),
			    "{\"by\":\"ann\",\"limit\":9007199254740993}");
	buffer_release(&out);
}

static void says_all_that_is_wrong_with_what_a_signal_brings(void **state)
{
	struct fixture *f = *state;
	struct buffer text = {0};
	struct buffer out = {0};

	bind_approval(f, APPROVAL(", value: approval"));
	assert_int_equal(plan_encode_signal(f->plan, 0, (struct bytes){0}, &out, &f->problems), -1);
	assert_problem(f, "value: is required: signal 'approved' brings a Approval (subject 'approval', version 1)");
	assert_int_equal(plan_encode_signal(f->plan, 0, bytes_of_text("{\"by\":5,\"limit\":\"x\",\"who\":1}"), &out,
					    &f->problems),
			 -1);
	assert_int_equal(f->problems.count, 4);
	assert_non_null(strstr(f->problems.items[1].place, "value."));
	buffer_append_text(&text, "{\"by\":\"");
	for (int i = 0; i < PLAN_INPUT_BYTES_MAX; i++)
		buffer_append_byte(&text, 'x');
	buffer_append_text(&text, "\"}");
	buffer_clear(&out);
	assert_int_equal(plan_encode_signal(f->plan, 0, buffer_bytes(&text), &out, &f->problems), -1);
	assert_problem(f, "value: has 262154 bytes, at most 262144 are allowed");
	buffer_release(&out);
	buffer_release(&text);
}

static void refuses_a_value_for_a_signal_that_brings_none(void **state)
{
	static const char TEXT[] = "saga: s\nkey: order_id\nsteps:\n  - {id: a, wait: {signal: go, timeout: 1h}}\n";
	struct fixture *f = *state;
	struct buffer out = {0};

	bind_approval(f, TEXT);
	assert_int_equal(plan_encode_signal(f->plan, 0, (struct bytes){0}, &out, &f->problems), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(plan_encode_signal(f->plan, 0, bytes_of_text("{}"), &out, &f->problems), -1);
	assert_problem(f, "value: must be absent: signal 'go' of definition 's' brings none");
}

static void checks_what_is_taken_from_a_signal_against_its_schema(void **state)
{
	struct fixture *f = *state;

	bind_approval(f, NULL);
	assert_int_equal(bind_text(f, APPROVAL(", value: aproval")), -1);
	assert_problem(f, "t.yaml:4:65: subject 'aproval' has no schema (subject 'aproval' not found): register one "
			  "first, or mend the name");
	assert_int_equal(bind_text(f, APPROVAL(", value: charged-value")), -1);
	assert_problem(f, "t.yaml:5:99: source 'approval.by': Order has no field 'by'");
}

static void fills_a_command_from_an_event_which_it_listens_to(void **state)
{
	static const char TEXT[] =
		"saga: s\nkey: order_id\nsteps:\n  - {id: approval, wait: {event: charged, timeout: 1h}}\n"
		"  - {id: charge, command: charge, replies: {succeeded: charged}, compensation: none,"
		" fields: {by: approval.order_id, limit: {value: 1}}}\n";
	struct fixture *f = *state;
	struct saga *saga;

	bind_approval(f, TEXT);
	assert_string_equal(f->plan->steps[0].event, "charged");
	assert_string_equal(f->plan->steps[0].value->subject, "charged-value");
	assert_int_equal(plan_find_event(f->plan, "charged"), 0);
	assert_int_equal(plan_find_event(f->plan, "charge"), -1);
	assert_int_equal(f->plan->reply_topic_count, 1);
	assert_string_equal(f->plan->reply_topics[0], "charged");
	saga = start(f);
	saga->steps[0].reply = (struct bytes){(const uint8_t *)"\0\0\0\0\4\0\n\1x", 9};
	assert_string_equal(build_json(f, saga, (struct bytes){0}, "charge", STEP_PHASE_FORWARD),
			    "{\"by\":\"x\",\"limit\":1}");
}

static void makes_the_same_bytes_of_json_and_of_encoded_input(void **state)
{
	struct fixture *f = *state;
	struct buffer out = {0};
	const char *key;
	struct bytes input;

	bind_checkout(f);
	input = encode_input(f, CHECKOUT_JSON, &key);
	assert_int_equal(plan_check_input(f->plan, input, &f->arena, &out, &key, &f->problems), 0);
	assert_true(bytes_equal(buffer_bytes(&out), input));
	assert_string_equal(key, "o-1");
	buffer_clear(&out);
	assert_int_equal(plan_check_input(f->plan, bytes_of_text("\x0a\xff"), &f->arena, &out, &key, &f->problems), -1);
	assert_string_equal(f->problems.items[0].place, "input");
	buffer_release(&out);
}

/* ---- type checks; a little definition each, its command in Avro or Protobuf ---- */
static const char INPUT_PROTO[] =
	"syntax = \"proto3\"; package t; message In { string id = 1; int64 big = 2; int32 small = 3; uint32 u = 4;"
	" optional string maybe = 5; Sub sub = 6; repeated Sub subs = 7; Color color = 8; double d = 9; float f = 10;"
	" map<string, Sub> by_name = 11; bytes raw = 12; } message Sub { string a = 1; int32 b = 2; Sub child = 3; }"
	" enum Color { RED = 0; BLUE = 1; }";

static int bind_little(struct fixture *f, enum schema_format format, const char *command, const char *fields)
{
	const char *text = arena_format(&f->arena,
					"saga: s\nkey: id\nsteps:\n- id: one\n  kind: pivot\n  command: c\n"
					"  replies: {succeeded: r}\n%s%s\n",
					fields[0] ? "  fields: " : "", fields);

	(void)fake_schemas_add(&f->schemas, "s-input", SCHEMA_FORMAT_PROTOBUF, INPUT_PROTO);
	(void)fake_schemas_add(&f->schemas, "r-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message HTTPDone { string ref = 1; }");
	(void)fake_schemas_add(&f->schemas, "c-value", format, command);
	return bind_text(f, text);
}

static int bind_avro(struct fixture *f, const char *fields_json, const char *fields)
{
	return bind_little(
		f, SCHEMA_FORMAT_AVRO,
		arena_format(&f->arena, "{\"type\":\"record\",\"name\":\"Cmd\",\"fields\":[%s]}", fields_json), fields);
}

static int bind_proto(struct fixture *f, const char *fields_proto, const char *fields)
{
	return bind_little(f, SCHEMA_FORMAT_PROTOBUF,
			   arena_format(&f->arena, "syntax = \"proto3\"; message Cmd { %s }", fields_proto), fields);
}

static void names_the_field_that_has_no_source(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_proto(f, "string id = 1; int64 amount_minor = 2; optional bool x = 3;", ""), -1);
	assert_int_equal(f->problems.count, 1);
	assert_problem(f, "t.yaml:6:12: no source for field amount_minor of Cmd: the input (In) has no field of that "
			  "name; add fields: {amount_minor: …}");
}

static void leaves_avro_fields_with_defaults_absent(void **state)
{
	struct fixture *f = *state;
	const char *key;
	struct bytes input;

	assert_int_equal(bind_avro(f,
				   "{\"name\":\"id\",\"type\":\"string\"},"
				   "{\"name\":\"note\",\"type\":\"string\",\"default\":\"none\"},"
				   "{\"name\":\"maybe\",\"type\":[\"null\",\"string\"],\"default\":null}",
				   ""),
			 0);
	input = encode_input(f, "{\"id\":\"i\"}", &key);
	assert_string_equal(build_json(f, start(f), input, "one", STEP_PHASE_FORWARD),
			    "{\"id\":\"i\",\"note\":\"none\",\"maybe\":null}");
	input = encode_input(f, "{\"id\":\"i\",\"maybe\":\"m\"}", &key);
	assert_string_equal(build_json(f, start(f), input, "one", STEP_PHASE_FORWARD),
			    "{\"id\":\"i\",\"note\":\"none\",\"maybe\":\"m\"}");
}

static void refuses_an_optional_source_for_a_required_field(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_avro(f, "{\"name\":\"maybe\",\"type\":\"string\"}", ""), -1);
	assert_problem(f,
		       "t.yaml:6:12: field maybe of Cmd is required, but input.maybe may be absent: give the field a "
		       "default in its schema, or another source");
}

static void refuses_a_path_through_an_optional_message(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_avro(f, "{\"name\":\"a\",\"type\":\"string\"}", "{a: input.sub.a}"), -1);
	assert_problem(f, "t.yaml:8:15: field a of Cmd is required, but input.sub.a may be absent: give the field a "
			  "default in its schema, or another source");
}

static void refuses_types_that_do_not_fit(void **state)
{
	static const struct {
		const char *type;
		const char *source;
		const char *why; /* NULL: fits */
	} cases[] = {
		{"int32", "input.big", "int64 does not fit int32"},
		{"int64", "input.small", NULL},
		{"uint32", "input.small", "int32 does not fit uint32"},
		{"int32", "input.u", "uint32 does not fit int32"},
		{"int64", "input.u", NULL},
		{"string", "input.small", "int32 does not fit text"},
		{"int32", "input.id", "text does not fit int32"},
		{"string", "input.color", NULL},
		{"double", "input.f", NULL},
		{"float", "input.d", "double does not fit float"},
		{"double", "input.small", NULL},
		{"double", "input.big", "int64 does not fit double"},
		{"bytes", "input.raw", NULL},
		{"string", "input.raw", "bytes does not fit text"},
		{"string", "input.subs", "list of record does not fit text"},
		{"repeated string", "input.subs", "record does not fit text"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		void *one;
		struct fixture *f;
		const char *proto;

		assert_int_equal(set_up(&one), 0);
		f = one;
		proto = arena_format(&f->arena, "%s x = 1;", cases[i].type);
		assert_int_equal(bind_proto(f, proto, arena_format(&f->arena, "{x: %s}", cases[i].source)),
				 cases[i].why ? -1 : 0);
		if (cases[i].why && i + 1 < ARRAY_LEN(cases))
			assert_problem(f, arena_format(&f->arena,
						       "t.yaml:8:15: field x of Cmd cannot be filled from %s: %s",
						       cases[i].source, cases[i].why));
		assert_int_equal(tear_down(&one), 0);
		(void)state;
	}
}

static void compares_records_by_name_down_to_the_leaves(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_avro(f,
				   "{\"name\":\"subs\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\","
				   "\"name\":\"S\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"},"
				   "{\"name\":\"zz\",\"type\":\"int\"}]}}}",
				   ""),
			 -1);
	assert_problem(f,
		       "t.yaml:6:12: field subs of Cmd cannot be filled from input.subs: zz: t.Sub has no such field");
}

static void copies_recursive_records_and_maps(void **state)
{
	struct fixture *f = *state;
	const char *key;
	struct bytes input;

	assert_int_equal(bind_little(f, SCHEMA_FORMAT_PROTOBUF,
				     "syntax = \"proto3\"; message Cmd { S sub = 1; map<string, S> by_name = 2; }"
				     " message S { int32 b = 2; S child = 3; }",
				     ""),
			 0);
	input = encode_input(f,
			     "{\"id\":\"i\",\"sub\":{\"a\":\"x\",\"b\":1,\"child\":{\"a\":\"y\",\"b\":2}},"
			     "\"by_name\":{\"k\":{\"a\":\"z\",\"b\":3}}}",
			     &key);
	assert_string_equal(build_json(f, start(f), input, "one", STEP_PHASE_FORWARD),
			    "{\"sub\":{\"b\":1,\"child\":{\"b\":2}},\"by_name\":{\"k\":{\"b\":3}}}");
}

static void suggests_the_field_that_was_meant(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_proto(f, "string id = 1; int64 big = 2;", "{bigg: input.bik, big: input.biig}"), -1);
	assert_problem(f, "t.yaml:8:12: Cmd has no field 'bigg'; did you mean 'big'?");
	assert_problem(f, "t.yaml:8:34: source 'input.biig': In has no field 'biig'; did you mean 'big'?");
}

static void reports_problems_of_text_and_schemas_together(void **state)
{
	struct fixture *f = *state;

	(void)fake_schemas_add(&f->schemas, "s-input", SCHEMA_FORMAT_PROTOBUF, INPUT_PROTO);
	(void)fake_schemas_add(&f->schemas, "c-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message Cmd { string id = 1; int64 big = 2; int64 small = 3; }");
	assert_int_equal(bind_text(f, "saga: s\nkey: idd\nsteps:\n- id: one\n  kind: pivto\n  command: c\n"
				      "  replies: {succeeded: r}\n  compensation: none\n"
				      "  fields: {big: nowhere, small: input.smal}\n"),
			 -1);
	assert_problem(f, "t.yaml:2:6: key 'idd' is no field of the input In; did you mean 'id'?");
	assert_problem(f, "t.yaml:5:9: kind 'pivto' must be compensatable, pivot or retriable");
	assert_problem(f, "t.yaml:9:17: source 'nowhere' is neither input.<field> nor <step>.<field>; a fixed value is "
			  "{value: nowhere}");
	assert_problem(f, "t.yaml:7:24: subject 'r-value' has no schema (subject 'r-value' not found): register one "
			  "first, or mend the name");
	assert_problem(f, "t.yaml:9:33: source 'input.smal': In has no field 'smal'; did you mean "
			  "'small'?");
	assert_int_equal(f->problems.count, 5);
}

static void takes_fixed_values_and_checks_them(void **state)
{
	struct fixture *f = *state;
	const char *key;
	struct bytes input;

	assert_int_equal(
		bind_proto(f, "string id = 1; int32 n = 2; string t = 3; repeated int32 l = 4; optional bool o = 5;",
			   "{n: {value: 7}, t: {value: 12}, l: {value: [1, 2]}, o: {value: null}}"),
		0);
	input = encode_input(f, "{\"id\":\"i\"}", &key);
	assert_string_equal(build_json(f, start(f), input, "one", STEP_PHASE_FORWARD),
			    "{\"id\":\"i\",\"n\":7,\"t\":\"12\",\"l\":[1,2]}");
}

static void refuses_fixed_values_that_do_not_fit(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_proto(f, "int32 n = 1; repeated int32 l = 2;", "{n: {value: many}, l: {value: [1, x]}}"),
			 -1);
	assert_int_equal(f->problems.count, 2);
	assert_string_equal(f->problems.items[0].place, "t.yaml:8:15");
	assert_string_equal(f->problems.items[1].place, "t.yaml:8:33");
}

static void makes_milestones_of_message_names(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_proto(f, "string id = 1;", ""), 0);
	assert_string_equal(f->plan->steps[0].commands[0].replies[0].milestone, "HTTP_DONE");
}

/* ---- inquiries ---- */
/* The second step takes its field from the first one's reply, or from the answer to its inquiry, on topic `told`. */
static int bind_inquiry(struct fixture *f, const char *told)
{
	(void)fake_schemas_add(&f->schemas, "s-input", SCHEMA_FORMAT_PROTOBUF, INPUT_PROTO);
	(void)fake_schemas_add(&f->schemas, "c-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message Cmd { optional string ref = 1; }");
	(void)fake_schemas_add(&f->schemas, "q-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message Inquire { string id = 1; }");
	(void)fake_schemas_add(&f->schemas, "r-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message Done { string ref = 1; }");
	(void)fake_schemas_add(&f->schemas, "told-value", SCHEMA_FORMAT_PROTOBUF, told);
	return bind_text(f, "saga: s\nkey: id\nsteps:\n"
			    "- id: one\n  command: c\n  replies: {succeeded: r}\n  compensation: none\n"
			    "  inquiry: {command: q, replies: {succeeded: [r, told]}}\n"
			    "- id: two\n  command: c\n  replies: {succeeded: r}\n  compensation: none\n"
			    "  fields: {ref: one.ref}\n");
}

static void binds_an_inquiry_as_a_command_of_its_own(void **state)
{
	struct fixture *f = *state;
	const struct plan_command *inquiry;
	const char *key;
	struct bytes input;

	assert_int_equal(bind_inquiry(f, "syntax = \"proto3\"; message Told { string ref = 1; }"), 0);
	inquiry = &f->plan->steps[0].commands[STEP_PHASE_INQUIRY];
	assert_string_equal(inquiry->topic, "q");
	assert_string_equal(inquiry->schema->message_type, "Inquire");
	assert_true(f->plan->definition.steps[0].has_inquiry);
	assert_int_equal(f->plan->reply_topic_count, 2);
	input = encode_input(f, "{\"id\":\"i\"}", &key);
	assert_string_equal(build_json(f, start(f), input, "one", STEP_PHASE_INQUIRY), "{\"id\":\"i\"}");
}

static void refuses_an_inquiry_whose_answer_lacks_what_later_commands_need(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_inquiry(f, "syntax = \"proto3\"; message Told { string reference = 1; }"), -1);
	assert_problem(f, "t.yaml:13:17: source 'one.ref': Told has no field 'ref'");
}

static void understands_unknown_as_an_answer_to_an_inquiry_alone(void **state)
{
	struct fixture *f = *state;
	const struct bytes unknown = bytes_of_text("unknown");

	assert_int_equal(bind_inquiry(f, "syntax = \"proto3\"; message Told { string ref = 1; }"), 0);
	assert_int_equal(plan_find_reply(f->plan, 0, STEP_PHASE_INQUIRY, "r", unknown)->outcome, SAGA_EVENT_UNKNOWN);
	assert_null(plan_find_reply(f->plan, 0, STEP_PHASE_FORWARD, "r", unknown));
	assert_null(plan_find_reply(f->plan, 0, STEP_PHASE_COMPENSATION, "r", unknown));
	assert_string_equal(
		plan_find_reply(f->plan, 0, STEP_PHASE_INQUIRY, "told", bytes_of_text("succeeded"))->milestone, "TOLD");
}

static void names_every_subject_without_a_schema(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bind_text(f, "saga: s\nkey: id\nsteps:\n- id: one\n  kind: pivot\n  command: c\n"
				      "  replies: {succeeded: r}\n"),
			 -1);
	assert_int_equal(f->problems.count, 3);
	assert_problem(f, "t.yaml:7:24: subject 'r-value' has no schema (subject 'r-value' not found): register one "
			  "first, or mend the name");
}

static void refuses_a_key_that_is_no_scalar(void **state)
{
	struct fixture *f = *state;

	(void)fake_schemas_add(&f->schemas, "s-input", SCHEMA_FORMAT_PROTOBUF, INPUT_PROTO);
	(void)fake_schemas_add(&f->schemas, "x-value", SCHEMA_FORMAT_PROTOBUF,
			       "syntax = \"proto3\"; message X { string id = 1; }");
	assert_int_equal(
		bind_text(f, "saga: s\nkey: sub\nsteps: [{id: a, kind: pivot, command: x, replies: {succeeded: x}}]"),
		-1);
	assert_problem(f, "t.yaml:2:6: key 'sub' is record: it must be a text or an integer");
	assert_int_equal(
		bind_text(f, "saga: s\nkey: maybe\nsteps: [{id: a, kind: pivot, command: x, replies: {succeeded: x}}]"),
		-1);
	assert_problem(f, "t.yaml:2:6: key 'maybe' may be absent: it must be a field that is always there");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(binds_the_shops_checkout_to_both_formats),
		TEST(fills_commands_by_equal_name_and_by_mapping),
		TEST(fills_a_command_from_an_earlier_reply),
		TEST(reads_a_reply_in_a_later_version_of_its_schema),
		TEST(understands_replies_by_header_then_by_topic),
		TEST(binds_again_to_pinned_schemas),
		TEST(says_that_the_registry_is_away_instead_of_blaming_the_text),
		TEST(fills_a_command_from_what_a_signal_brought),
		TEST(says_all_that_is_wrong_with_what_a_signal_brings),
		TEST(refuses_a_value_for_a_signal_that_brings_none),
		TEST(checks_what_is_taken_from_a_signal_against_its_schema),
		TEST(fills_a_command_from_an_event_which_it_listens_to),
		TEST(refuses_an_input_with_every_misfit_at_its_place),
		TEST(refuses_an_input_without_its_key),
		TEST(tells_an_input_that_is_too_large_by_its_length),
		TEST(makes_the_same_bytes_of_json_and_of_encoded_input),
		TEST(names_the_field_that_has_no_source),
		TEST(leaves_avro_fields_with_defaults_absent),
		TEST(refuses_an_optional_source_for_a_required_field),
		TEST(refuses_a_path_through_an_optional_message),
		TEST(refuses_types_that_do_not_fit),
		TEST(compares_records_by_name_down_to_the_leaves),
		TEST(copies_recursive_records_and_maps),
		TEST(suggests_the_field_that_was_meant),
		TEST(reports_problems_of_text_and_schemas_together),
		TEST(takes_fixed_values_and_checks_them),
		TEST(refuses_fixed_values_that_do_not_fit),
		TEST(makes_milestones_of_message_names),
		TEST(binds_an_inquiry_as_a_command_of_its_own),
		TEST(refuses_an_inquiry_whose_answer_lacks_what_later_commands_need),
		TEST(understands_unknown_as_an_answer_to_an_inquiry_alone),
		TEST(names_every_subject_without_a_schema),
		TEST(refuses_a_key_that_is_no_scalar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
