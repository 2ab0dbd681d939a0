/* table.c - see table.h. */
#include "cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "cli/safe_text.h"
#include "cli/terminal.h"
#include "lib/base/memory.h"

enum { INDENT = 2, FLEXIBLE_WIDTH_MIN = 8 };

static const char *const colour_codes[] = {
	[TABLE_PLAIN] = "",    [TABLE_GREEN] = "32", [TABLE_RED] = "31",
	[TABLE_YELLOW] = "33", [TABLE_BOLD] = "1",   [TABLE_DIM] = "2",
};

bool table_colours_wanted(void)
{
	return terminal_of_output().has_colours;
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

void table_add(struct table *table, enum table_colour colour, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct buffer safe = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	safe_text_append(&safe, buffer_text(&text), text.len);
	buffer_append_text(&safe, ""); /* an empty text is one, too */
	table->cells = xrealloc_array(table->cells, table->cell_count + 1, sizeof(*table->cells));
	table->cells[table->cell_count++] = (struct table_cell){(char *)safe.data, colour};
}

void table_add_head(struct table *table, const char *const *names)
{
	for (int i = 0; i < table->columns; i++)
		table_add(table, TABLE_DIM, "%s", names[i]);
}

void table_append_text(struct buffer *out, const char *text, enum table_colour colour, bool has_colours)
{
	bool is_coloured = has_colours && colour != TABLE_PLAIN && text[0];

	if (is_coloured)
		buffer_append_format(out, "\033[%sm", colour_codes[colour]);
	safe_text_append(out, text, strlen(text));
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

/* The widest flexible columns give way until the lines fit or nothing can be taken from them any more. */
static void fit(const struct table *table, size_t *widths)
{
	size_t total = 0;

	for (int i = 0; i < table->columns; i++)
		total += widths[i] + INDENT;
	while (table->width_max > 0 && total > (size_t)table->width_max) {
		int widest = -1;

		for (int i = 0; i < table->columns; i++) {
			bool is_flexible = table->flexible >> i & 1 && widths[i] > FLEXIBLE_WIDTH_MIN;

			if (is_flexible && (widest < 0 || widths[i] > widths[widest]))
				widest = i;
		}
		if (widest < 0)
			return;
		widths[widest]--;
		total--;
	}
}

static void append_cell(const struct table *table, const struct table_cell *cell, size_t width, bool is_last,
			struct buffer *out)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	size_t used;

	safe_text_append_cut(&text, cell->text, width);
	used = safe_text_width(buffer_text(&text));
	buffer_append_format(out, "%*s", INDENT, "");
	table_append_text(out, buffer_text(&text), cell->colour, table->has_colours);
	buffer_append_format(out, "%*s", is_last ? 0 : (int)(width - used), "");
}

void table_print(const struct table *table, struct buffer *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	size_t columns = (size_t)table->columns;

	assert(table->cell_count % columns == 0);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t width = safe_text_width(table->cells[i].text);

		widths[i % columns] = width > widths[i % columns] ? width : widths[i % columns];
	}
	fit(table, widths);
	for (size_t i = 0; i < table->cell_count; i++) {
		bool is_last = i % columns == columns - 1 || is_rest_empty(table, i + 1);

		append_cell(table, &table->cells[i], widths[i % columns], is_last, out);
		if (is_last) {
			buffer_append_text(out, "\n");
			i += columns - 1 - i % columns;
		}
	}
}
