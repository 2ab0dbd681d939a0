/*
 * table.h - text in columns for people, with colours on a terminal alone.
 *
 * Guarantees: control characters of texts from elsewhere never reach the terminal.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "lib/base/bytes.h"

enum table_colour { TABLE_PLAIN, TABLE_GREEN, TABLE_RED, TABLE_YELLOW, TABLE_BOLD, TABLE_DIM };
enum { TABLE_COLUMNS_MAX = 8 };

struct table_cell {
	char *text; /* owned by the table */
	enum table_colour colour;
};

struct table {
	int columns;
	bool has_colours;
	size_t cell_count;
	struct table_cell *cells; /* row by row */
};

bool table_colours_wanted(void); /* standard output is a terminal and NO_COLOR is not set */

void table_init(struct table *table, int columns, bool has_colours);
void table_release(struct table *table);
void table_add(struct table *table, enum table_colour colour, const char *format, ...) PRINTF_LIKE(3, 4);

/* Every row with two blanks in front and between its columns, none at its end. */
void table_print(const struct table *table, struct buffer *out);

/* One text in its colour, control characters replaced. */
void table_append_text(struct buffer *out, const char *text, enum table_colour colour, bool has_colours);

#endif
