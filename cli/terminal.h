/*
 * terminal.h - what standard output is: a terminal with colours and a size, or something that wants plain lines.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>

struct terminal {
	bool is_live; /* a terminal that can move its cursor: lines may be drawn again */
	bool has_colours;
	bool has_symbols; /* characters beyond ASCII are shown as what they are */
	int columns;      /* 0: no limit */
	int rows;         /* 0: no limit */
};

enum terminal_colouring { TERMINAL_COLOUR_AUTO, TERMINAL_COLOUR_ALWAYS, TERMINAL_COLOUR_NEVER };

void terminal_init(void); /* once, at the start of the process: takes the locale's characters */
void terminal_set_colouring(enum terminal_colouring colouring);

/* As it is now: a window may have changed its size since. With AUTO there are colours on a terminal alone, and none with
 * NO_COLOR set or TERM=dumb. */
struct terminal terminal_of_output(void);

#endif
