/*
 * screen.h - lines at the end of the terminal that are drawn again and again in the same place.
 *
 * Guarantees: what stood above stays; lines longer than the terminal is wide are cut, and no more are drawn than fit, the
 *             last ones. After screen_end() the cursor is visible again.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "cli/terminal.h"

struct screen {
	int line_count; /* drawn so far */
	bool is_begun;
};

void screen_draw(struct screen *screen, const char *text, const struct terminal *terminal);
/* The last time: all of the text, however long; it stays. */
void screen_end(struct screen *screen, const char *text);

#endif
