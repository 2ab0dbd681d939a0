/*
 * table.h - text in columns for people, with colours on a terminal alone.
 *
 * Guarantees: texts from elsewhere reach the terminal as safe_text.h makes them; a table with a limit has no longer lines,
 *             as far as its flexible columns allow.
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
	int width_max;     /* 0: none; set by who knows the terminal */
	unsigned flexible; /* one bit a column, 1u << index: what may be cut where the width does not do; ids may not */
	size_t cell_count;
	struct table_cell *cells; /* row by row */
};

bool table_colours_wanted(void); /* as terminal.h says of standard output */

void table_init(struct table *table, int columns, bool has_colours);
void table_release(struct table *table);
void table_add(struct table *table, enum table_colour colour, const char *format, ...) PRINTF_LIKE(3, 4);

void table_add_head(struct table *table, const char *const *names); /* one row, a name for each column */

/* Every row with two blanks in front and between its columns, none at its end. */
void table_print(const struct table *table, struct buffer *out);

/* One text in its colour, made safe. */
void table_append_text(struct buffer *out, const char *text, enum table_colour colour, bool has_colours);

#endif
