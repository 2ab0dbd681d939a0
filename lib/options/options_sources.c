/* options_sources.c - see options_state.h: the environment, the file, the defaults, and which of all counts. */
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/options/options_state.h"

extern char **environ;

/* ---- environment ---- */

/* The value of the first of the names that is set and not empty. */
static const char *from_environment(const char *names, const char *suffix, char ret_name[OPTION_NAME_BYTES_MAX])
{
	for (const char *at = names; at && *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		const char *value;

		assert(len + strlen(suffix) < OPTION_NAME_BYTES_MAX);
		(void)snprintf(ret_name, OPTION_NAME_BYTES_MAX, "%.*s%s", (int)len, at, suffix);
		value = getenv(ret_name);
		if (value && value[0])
			return value;
		at += len;
	}
	return NULL;
}

/* Every variable that begins with the option's prefix. */
static void read_property_variables(struct parse *parse, const struct option *option)
{
	size_t prefix_len = option->environment ? strlen(option->environment) : 0;

	for (char **variable = environ; prefix_len > 0 && variable && *variable; variable++) {
		size_t len = strcspn(*variable, "=");
		struct origin origin = {.source = OPTION_SOURCE_ENVIRONMENT};
		char *name;

		if (len <= prefix_len || strncmp(*variable, option->environment, prefix_len) != 0 || !(*variable)[len])
			continue;
		name = arena_strndup(parse->texts, *variable + prefix_len, len - prefix_len);
		for (char *at = name; *at; at++)
			*at = *at == '_' ? '.' : (char)tolower((unsigned char)*at);
		origin.name = arena_strndup(parse->texts, *variable, len);
		origin.text = *variable + len + 1;
		options_take_property(parse, option, name, &origin);
	}
}

static void read_variable(struct parse *parse, const struct option *option)
{
	char name[OPTION_NAME_BYTES_MAX];
	struct origin origin = {.source = OPTION_SOURCE_ENVIRONMENT};
	const char *path;

	if (options_origin(parse, option)->source == OPTION_SOURCE_FLAG)
		return;
	origin.text = from_environment(option->environment, "", name);
	if (!origin.text && option->is_secret && (path = from_environment(option->environment, "_FILE", name))) {
		origin.name = arena_strdup(parse->texts, name);
		origin.text = options_read_secret(parse, option, &origin, path);
		options_set_value(parse, option, &origin);
	} else if (origin.text) {
		origin.name = arena_strdup(parse->texts, name);
		options_set_value(parse, option, &origin);
	}
}

/* ---- file ---- */

void options_config_variable(const struct program *program, char ret_name[OPTION_NAME_BYTES_MAX])
{
	size_t len = strcspn(program->name, " "); /* "sagactl get" is sagactl */

	assert(len < 60);
	for (size_t i = 0; i < len; i++)
		ret_name[i] = program->name[i] == '-' ? '_' : (char)toupper((unsigned char)program->name[i]);
	(void)snprintf(ret_name + len, OPTION_NAME_BYTES_MAX - len, "_CONFIG");
}

static void PRINTF_LIKE(4, 5) complain_entry(struct parse *parse, const struct option_file *file,
					     const struct option_file_entry *entry, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	parse->has_config_error = true;
	options_complain(parse, "", "%s:%d: %s", file->path, entry->line, buffer_text(&text));
}

static void complain_unknown_key(struct parse *parse, const struct option_file *file,
				 const struct option_file_entry *entry)
{
	const char *nearest = options_nearest(parse->program, entry->key, strlen(entry->key));

	complain_entry(parse, file, entry, "unknown key '%s'%s%s%s", entry->key, nearest ? "; did you mean " : "",
		       nearest ? nearest : "", nearest ? "?" : "");
}

static bool check_entry_twice(struct parse *parse, const struct option_file *file,
			      const struct option_file_entry *entry)
{
	for (const struct option_file_entry *other = file->entries; other < entry; other++) {
		if (strcmp(other->key, entry->key) == 0) {
			complain_entry(parse, file, entry, "'%s' stands in line %d already", entry->key, other->line);
			return false;
		}
	}
	return true;
}

static void check_entry_mode(struct parse *parse, const struct option_file *file, const struct option_file_entry *entry)
{
	if (file->is_open_to_all)
		complain_entry(parse, file, entry,
			       "'%s' holds a secret, but every user can read the file: chmod 640 %s", entry->key,
			       file->path);
}

/* The properties' names begin where the prefix of their option ends. */
static const struct option *find_prefix(const struct program *program, const char *key)
{
	for (size_t i = 0; i < program->option_count; i++) {
		const struct option *option = &program->options[i];

		if (option->prefix && strncmp(key, option->prefix, strlen(option->prefix)) == 0 &&
		    key[strlen(option->prefix)])
			return option;
	}
	return NULL;
}

/* The texts are copied, the file's own go when it has been read. */
static void take_entry(struct parse *parse, const struct option_file *file, const struct option_file_entry *entry)
{
	const struct program *program = parse->program;
	size_t len = strlen(entry->key);
	const struct option *properties = find_prefix(program, entry->key);
	const struct option *secret_file = options_find_secret(program, entry->key, len);
	const struct option *option = secret_file;
	struct origin origin = {OPTION_SOURCE_FILE, file->path, entry->line, NULL};

	for (size_t i = 0; i < program->option_count && !option; i++) {
		if (strcmp(program->options[i].flag, entry->key) == 0 && !program->options[i].prefix)
			option = &program->options[i];
	}
	if (!option && !properties) {
		complain_unknown_key(parse, file, entry);
		return;
	}
	if (!check_entry_twice(parse, file, entry) || !*entry->value)
		return;
	origin.text = arena_strdup(parse->texts, entry->value);
	if (properties) {
		if (option_property_is_secret(entry->key, entry->value))
			check_entry_mode(parse, file, entry);
		options_take_property(parse, properties,
				      arena_strdup(parse->texts, entry->key + strlen(properties->prefix)), &origin);
		return;
	}
	if (!secret_file && option_text_is_secret(option, entry->value))
		check_entry_mode(parse, file, entry);
	if (options_origin(parse, option)->source > OPTION_SOURCE_FILE)
		return;
	if (secret_file)
		origin.text = options_read_secret(parse, option, &origin, entry->value);
	options_set_value(parse, option, &origin);
}

static void read_file(struct parse *parse)
{
	char variable[OPTION_NAME_BYTES_MAX];
	struct option_file file = {0};
	size_t problem_count = parse->problems.count;

	options_config_variable(parse->program, variable);
	if (!parse->config_path && getenv(variable) && *getenv(variable))
		parse->config_path = getenv(variable);
	if (!parse->config_path)
		return;
	if (option_file_read(&file, parse->config_path, &parse->problems) == 0) {
		for (size_t i = 0; i < file.count; i++)
			take_entry(parse, &file, &file.entries[i]);
	}
	parse->has_config_error = parse->has_config_error || parse->problems.count > problem_count;
	option_file_release(&file);
}

/* ---- all together ---- */

static void complain_missing(struct parse *parse, const struct option *option)
{
	parse->has_usage_error = true;
	options_complain(parse, "", "--%s%s is required%s%s%s", option->flag, option->is_secret ? "-file" : "",
			 option->environment ? " (or set " : "", option->environment ? option->environment : "",
			 option->environment ? ")" : "");
}

static void set_default(struct parse *parse, const struct option *option)
{
	struct origin *origin = options_origin(parse, option);

	if (option->type == OPTION_PROPERTIES || origin->source != OPTION_SOURCE_DEFAULT)
		return;
	origin->text = option->default_text;
	if (option->default_text) {
		struct error err;

		if (option_value_set(option, OPTION_SOURCE_DEFAULT, option->default_text, parse->texts, &err) < 0)
			assert(false && "the default of an option does not fit its type");
	} else if (option->is_required) {
		complain_missing(parse, option);
	}
}

static void fill_properties(const struct parse *parse, const struct option *option)
{
	struct option_properties *place = option->place;

	*place = (struct option_properties){0};
	for (size_t i = 0; i < parse->property_count; i++) {
		const struct read_property *property = &parse->properties[i];

		if (property->option != option)
			continue;
		place->items = xrealloc_array(place->items, place->count + 1, sizeof(*place->items));
		place->items[place->count++] = (struct text_pair){property->name, property->value};
	}
}

/* Properties go lowest source first, since the later one of a name wins; of others the highest is looked at alone. */
void options_resolve(struct parse *parse)
{
	const struct program *program = parse->program;
	struct read_property *flags = take_ptr(parse->properties);
	size_t flag_count = parse->property_count;

	parse->property_count = 0;
	for (size_t i = 0; i < program->option_count; i++) {
		if (program->options[i].type != OPTION_PROPERTIES)
			read_variable(parse, &program->options[i]);
	}
	read_file(parse);
	for (size_t i = 0; i < program->option_count; i++) {
		if (program->options[i].type == OPTION_PROPERTIES)
			read_property_variables(parse, &program->options[i]);
	}
	for (size_t i = 0; i < flag_count; i++)
		options_take_property(parse, flags[i].option, flags[i].name, &flags[i].origin);
	free(flags);
	for (size_t i = 0; i < program->option_count; i++) {
		set_default(parse, &program->options[i]);
		if (program->options[i].type == OPTION_PROPERTIES)
			fill_properties(parse, &program->options[i]);
	}
}
