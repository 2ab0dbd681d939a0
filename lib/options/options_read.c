/*
 * options_read.c - see options_state.h: names found, values set, problems placed; what flags, variables and files share.
 */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/spelling.h"
#include "lib/options/options_state.h"

void options_complain(struct parse *parse, const char *place, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	problems_add(&parse->problems, place, "%s", buffer_text(&text));
}

/* ---- unknown flags ---- */

/* The flag that was probably meant, or NULL. */
const char *options_nearest(const struct program *program, const char *name, size_t name_len)
{
	_cleanup_(freep)
	const char **flags = xcalloc(program->option_count + 1, sizeof(*flags));
	_cleanup_(freep)
	char *given = xstrndup(name, name_len);
	size_t count = 0;

	for (size_t i = 0; i < program->option_count; i++) {
		if (!program->options[i].is_secret)
			flags[count++] = program->options[i].flag;
	}
	return spelling_nearest(given, flags, count);
}

/* A secret's name with "-file" behind it. */
const struct option *options_find_secret(const struct program *program, const char *name, size_t len)
{
	static const char suffix[] = "-file";
	size_t suffix_len = strlen(suffix);

	if (len <= suffix_len || memcmp(name + len - suffix_len, suffix, suffix_len) != 0)
		return NULL;
	for (size_t i = 0; i < program->option_count; i++) {
		const struct option *option = &program->options[i];

		if (option->is_secret && strlen(option->flag) == len - suffix_len &&
		    memcmp(option->flag, name, len - suffix_len) == 0)
			return option;
	}
	return NULL;
}

struct origin *options_origin(struct parse *parse, const struct option *option)
{
	return &parse->origins[option - parse->program->options];
}

void options_append_place(struct buffer *out, const struct option *option, const struct origin *origin)
{
	switch (origin->source) {
	case OPTION_SOURCE_FLAG:
		buffer_append_format(out, "--%s%s", option->flag, option->is_secret ? "-file" : "");
		break;
	case OPTION_SOURCE_ENVIRONMENT:
		buffer_append_format(out, "environment %s", origin->name);
		break;
	case OPTION_SOURCE_FILE:
		buffer_append_format(out, "%s:%d: %s", origin->name, origin->line, option->flag);
		break;
	case OPTION_SOURCE_DEFAULT:
		buffer_append_format(out, "%s", option->flag);
		break;
	}
}

/* `what` is wrong with the value, which is shown unless it is a secret. */
void options_complain_value(struct parse *parse, const struct option *option, const struct origin *origin,
			    const char *what)
{
	_cleanup_(buffer_release)
	struct buffer place = {0};
	_cleanup_(buffer_release)
	struct buffer value = {0};

	if (origin->source == OPTION_SOURCE_FLAG)
		parse->has_usage_error = true;
	else
		parse->has_config_error = true;
	options_append_place(&place, option, origin);
	option_text_append_masked(&value, option, origin->text ? origin->text : "");
	options_complain(parse, "", "%s '%s': %s", buffer_text(&place), buffer_text(&value), what);
}

void options_complain_property(struct parse *parse, const struct read_property *property, const char *what)
{
	const struct origin *origin = &property->origin;
	_cleanup_(buffer_release)
	struct buffer place = {0};
	_cleanup_(buffer_release)
	struct buffer value = {0};

	option_property_append_masked(&value, property->name, property->value);
	if (origin->source == OPTION_SOURCE_FILE)
		buffer_append_format(&place, "%s:%d: %s%s '", origin->name, origin->line, property->option->prefix,
				     property->name);
	else if (origin->source == OPTION_SOURCE_ENVIRONMENT)
		buffer_append_format(&place, "environment %s '", origin->name);
	else
		buffer_append_format(&place, "--%s '%s=", property->option->flag, property->name);
	options_complain(parse, "", "%s%s': %s", buffer_text(&place), buffer_text(&value), what);
}

void options_take_property(struct parse *parse, const struct option *option, const char *name,
			   const struct origin *origin)
{
	struct read_property *place = NULL;

	for (size_t i = 0; i < parse->property_count && !place; i++) {
		if (parse->properties[i].option == option && strcmp(parse->properties[i].name, name) == 0)
			place = &parse->properties[i];
	}
	if (!place) {
		parse->properties =
			xrealloc_array(parse->properties, parse->property_count + 1, sizeof(*parse->properties));
		place = &parse->properties[parse->property_count++];
	}
	*place = (struct read_property){option, name, origin->text, *origin};
}

/* Reads the file that holds a secret; NULL: it cannot be had, which was said. */
const char *options_read_secret(struct parse *parse, const struct option *option, const struct origin *origin,
				const char *path)
{
	_cleanup_(buffer_release)
	struct buffer place = {0};
	struct error err;
	_cleanup_(freep)
	char *text = NULL;

	if (option_secret_read(path, &text, &err) == 0)
		return arena_strdup(parse->texts, text);
	options_append_place(&place, option, origin);
	if (origin->source == OPTION_SOURCE_FLAG)
		parse->has_usage_error = true;
	else
		parse->has_config_error = true;
	options_complain(parse, "", "%s: %s", buffer_text(&place), err.msg);
	return NULL;
}

void options_set_value(struct parse *parse, const struct option *option, const struct origin *origin)
{
	struct error err;

	*options_origin(parse, option) = *origin;
	if (origin->text && option_value_set(option, origin->source, origin->text, parse->texts, &err) < 0)
		options_complain_value(parse, option, origin, err.msg);
}
