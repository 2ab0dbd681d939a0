/* table.c - see table.h. */
#include "cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/memory.h"

static const char *const colour_codes[] = {
	[TABLE_PLAIN] = "",    [TABLE_GREEN] = "32", [TABLE_RED] = "31",
	[TABLE_YELLOW] = "33", [TABLE_BOLD] = "1",   [TABLE_DIM] = "2",
};

bool table_colours_wanted(void)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (!no_color || !no_color[0]);
}

void table_init(struct table *table, int columns, bool has_colours)
{
	assert(columns > 0 && columns <= TABLE_COLUMNS_MAX);
	*table = (struct table){.columns = columns, .has_colours = has_colours};
}

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->cell_count = 0;
}

static void replace_control_characters(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
	}
}

void table_add(struct table *table, enum table_colour colour, const char *format, ...)
{
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	table->cells = xrealloc_array(table->cells, table->cell_count + 1, sizeof(*table->cells));
	table->cells[table->cell_count++] = (struct table_cell){(char *)text.data, colour};
	replace_control_characters((char *)text.data);
}

/* Columns a text takes on the screen: characters, not bytes. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void table_append_text(struct buffer *out, const char *text, enum table_colour colour, bool has_colours)
{
	bool is_coloured = has_colours && colour != TABLE_PLAIN && text[0];
	size_t start;

	if (is_coloured)
		buffer_append_format(out, "\033[%sm", colour_codes[colour]);
	start = out->len;
	buffer_append_text(out, text);
	replace_control_characters((char *)out->data + start);
	if (is_coloured)
		buffer_append_text(out, "\033[0m");
}

static bool is_rest_empty(const struct table *table, size_t cell)
{
	do {
		if (table->cells[cell].text[0])
			return false;
	} while (++cell % (size_t)table->columns != 0 && cell < table->cell_count);
	return true;
}

void table_print(const struct table *table, struct buffer *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	size_t columns = (size_t)table->columns;

	assert(table->cell_count % columns == 0);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t width = width_of(table->cells[i].text);

		widths[i % columns] = width > widths[i % columns] ? width : widths[i % columns];
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		const struct table_cell *cell = &table->cells[i];
		bool is_last = i % columns == columns - 1 || is_rest_empty(table, i + 1);

		buffer_append_text(out, "  ");
		table_append_text(out, cell->text, cell->colour, table->has_colours);
		if (!is_last)
			buffer_append_format(out, "%*s", (int)(widths[i % columns] - width_of(cell->text)), "");
		if (is_last) {
			buffer_append_text(out, "\n");
			i += columns - 1 - i % columns;
		}
	}
}
