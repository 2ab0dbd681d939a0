/* schema_commands.c - sagactl schema register. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/file.h"
#include "cli/subject_map.h"
#include "cli/table.h"
#include "schema-registry/client/registry_client.h"

static const char *map_path;

static const struct option register_options[] = {
	{.flag = "map",
	 .is_required = true,
	 .value_name = "FILE",
	 .help = "The list of subjects and their schema files, such as proto/shop/subjects.yaml.",
	 .place = &map_path},
};

struct registered {
	int32_t id;
	int32_t version; /* 0: the subject has gone on since; the id is still right */
};

static int register_entry(struct registry_client *client, const struct subject_entry *entry,
			  struct registered *ret_registered, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	const struct schema *schema;
	struct registered registered = {0};
	int32_t latest_id;

	if (file_read(entry->schema_path, SCHEMA_TEXT_BYTES_MAX, &text, err) < 0)
		return -1;
	if (registry_client_register(client, entry->subject, entry->format, buffer_bytes(&text), &registered.id, err) <
		    0 ||
	    registry_client_latest(client, entry->subject, &latest_id, &registered.version, &schema, err) < 0)
		return error_prefix(err, "%s (%s)", entry->subject, entry->schema_path);
	if (latest_id != registered.id)
		registered.version = 0;
	*ret_registered = registered;
	return 0;
}

static void print_json_line(const struct subject_entry *entry, const struct registered *registered)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	buffer_append_text(&out, "{\"subject\":");
	buffer_append_json_string(&out, entry->subject, strlen(entry->subject));
	buffer_append_format(&out, ",\"id\":%" PRId32 ",\"version\":%" PRId32 "}", registered->id, registered->version);
	(void)printf("%s\n", buffer_text(&out));
}

static void add_row(struct table *table, const struct subject_entry *entry, const struct registered *registered)
{
	table_add(table, TABLE_PLAIN, "%s", entry->subject);
	table_add(table, TABLE_PLAIN, "id %" PRId32, registered->id);
	if (registered->version > 0)
		table_add(table, TABLE_PLAIN, "version %" PRId32, registered->version);
	else
		table_add(table, TABLE_PLAIN, "an earlier version");
}

/* Every subject is tried, so that all refusals are seen at once; a registry that is away ends it. */
static enum exit_code register_all(struct session *session_, const struct subject_map *map)
{
	struct registry_client_options options = {.url = session_->registry_url,
						  .security = session_->registry_security};
	_cleanup_(registry_client_freep)
	struct registry_client *client = registry_client_new(&options);
	_cleanup_(buffer_release)
	struct buffer out = {0};
	enum exit_code first_failure = EXIT_DONE;
	struct table table;

	table_init(&table, 3, table_colours_wanted());
	for (size_t i = 0; i < map->count && first_failure != EXIT_UNAVAILABLE; i++) {
		struct registered registered = {0};
		struct error err;

		if (register_entry(client, &map->entries[i], &registered, &err) < 0) {
			enum exit_code code = session_fail(&err);

			first_failure = first_failure == EXIT_DONE || code == EXIT_UNAVAILABLE ? code : first_failure;
		} else if (session_wants_json(session_)) {
			print_json_line(&map->entries[i], &registered);
		} else {
			add_row(&table, &map->entries[i], &registered);
		}
	}
	table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
	return first_failure;
}

static enum exit_code run_register(struct session *session_, char **arguments, int count)
{
	struct subject_map map;
	enum exit_code code;
	struct error err;

	(void)arguments;
	(void)count;
	if (subject_map_load_or_say(map_path, &map, &err) < 0)
		return exit_code_of(err.code);
	code = register_all(session_, &map);
	subject_map_release(&map);
	return code;
}

const struct command schema_register_command = {
	.name = "schema register",
	.summary = "register the schemas of a map of subjects",
	.notes = "Registering the same schema again changes nothing.\n",
	.examples = "sagactl schema register --map proto/shop/subjects.yaml\n",
	.options = register_options,
	.option_count = ARRAY_LEN(register_options),
	.run = run_register,
};
