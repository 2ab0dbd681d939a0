/* schema_view_commands.c - sagactl schema list and get. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/schema_text.h"
#include "cli/table.h"
#include "lib/base/arena.h"
#include "schema-registry/client/registry_client.h"

static enum exit_code print_json(const struct session *session_, json_t *json)
{
	char *text = json_dumps(json, strcmp(session_->output, "jsonl") == 0 ? JSON_COMPACT : JSON_INDENT(2));

	(void)printf("%s\n", text ? text : "null");
	free(text);
	json_decref(json);
	return EXIT_DONE;
}

/* ---- list ---- */

struct listing {
	struct session *session;
	struct registry_client *client;
	const char *prefix;
	json_t *array;
	struct table table;
	struct arena arena;
};

/* Without the schema: it may need others, and may be of a type that is unknown here. */
static int list_subject(struct listing *listing, const char *subject, struct error *err)
{
	struct registry_entry entry;

	arena_clear(&listing->arena);
	if (registry_client_entry(listing->client, subject, 0, &listing->arena, &entry, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1; /* deleted meanwhile */
	json_array_append_new(listing->array,
			      json_pack("{s:s, s:i, s:i, s:s}", "subject", subject, "version", (int)entry.version, "id",
					(int)entry.id, "schemaType", entry.format));
	table_add(&listing->table, TABLE_PLAIN, "%s", subject);
	table_add(&listing->table, TABLE_PLAIN, "version %" PRId32, entry.version);
	table_add(&listing->table, TABLE_PLAIN, "id %" PRId32, entry.id);
	table_add(&listing->table, TABLE_PLAIN, "%s", entry.format);
	return 0;
}

static int list_all(struct listing *listing, struct error *err)
{
	_cleanup_(freep)
	char **subjects = NULL;
	size_t count;

	if (registry_client_subjects(listing->client, listing->prefix, &subjects, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (list_subject(listing, subjects[i], err) < 0)
			return -1;
	}
	return 0;
}

static enum exit_code run_list(struct session *session_, char **arguments, int count)
{
	struct registry_client_options options = session_registry(session_);
	_cleanup_(registry_client_freep)
	struct registry_client *client = registry_client_new(&options);
	struct listing listing = {
		.session = session_, .client = client, .prefix = count > 0 ? arguments[0] : "", .array = json_array()};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	enum exit_code code = EXIT_DONE;
	struct error err;

	arena_init(&listing.arena, 0);
	table_init(&listing.table, 4, table_colours_wanted());
	if (list_all(&listing, &err) < 0)
		code = session_fail(&err);
	else if (session_wants_json(session_))
		code = print_json(session_, json_incref(listing.array));
	else
		table_print(&listing.table, &out);
	(void)printf("%s", buffer_text(&out));
	table_release(&listing.table);
	arena_release(&listing.arena);
	json_decref(listing.array);
	return code;
}

const struct command schema_list_command = {
	.name = "schema list",
	.arguments = "[PREFIX]",
	.arguments_max = 1,
	.summary = "list subjects with their latest schemas",
	.notes = "Without a context in the prefix: those of the default context.\n",
	.examples = "sagactl schema list order.\n"
		    "sagactl schema list :.staging:          # a context; :*: is all of them\n",
	.run = run_list,
};

/* ---- get ---- */

static int64_t get_version;
static int64_t get_id;

static const struct option get_options[] = {
	{.flag = "subject-version",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "A version of the subject; 0 is the latest.",
	 .place = &get_version},
	{.flag = "id",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "The schema of this id, whatever its subject.",
	 .place = &get_id},
};

static enum exit_code run_get(struct session *session_, char **arguments, int count)
{
	struct registry_client_options options = session_registry(session_);
	_cleanup_(registry_client_freep)
	struct registry_client *client = registry_client_new(&options);
	_cleanup_(buffer_release)
	struct buffer text = {0};
	const struct schema *schema;
	int32_t id = (int32_t)get_id;
	int32_t version = 0;
	struct error err;
	int result;

	if ((count == 1) == (id > 0)) {
		(void)fprintf(stderr, "sagactl schema get: give a subject, or --id\n");
		return EXIT_USAGE;
	}
	result = id > 0 ? registry_client_by_id(client, id, &schema, &err)
			: registry_client_version(client, arguments[0], (int32_t)get_version, &id, &version, &schema,
						  &err);
	if (result < 0)
		return session_fail(&err);
	if (session_wants_json(session_))
		return print_json(session_,
				  json_pack("{s:s?, s:o, s:i, s:s, s:s}", "subject", count ? arguments[0] : NULL,
					    "version", version ? json_integer(version) : json_null(), "id", (int)id,
					    "schemaType", schema_format_name(schema_format(schema)), "schema",
					    schema_text(schema)));
	schema_text_append(&text, schema);
	(void)printf("%s", buffer_text(&text));
	return EXIT_DONE;
}

const struct command schema_get_command = {
	.name = "schema get",
	.arguments = "[SUBJECT]",
	.arguments_max = 1,
	.summary = "show a schema",
	.examples = "sagactl schema get order.created-value --subject-version 2\n"
		    "sagactl schema get --id 17\n",
	.options = get_options,
	.option_count = ARRAY_LEN(get_options),
	.run = run_get,
};
