/* terminal.c - see terminal.h. */
#include "cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_MIN = 20, COLUMNS_DEFAULT = 80, ROWS_DEFAULT = 24 };

static enum terminal_colouring colouring = TERMINAL_COLOUR_AUTO;

void terminal_init(void)
{
	(void)setlocale(LC_CTYPE, ""); /* one that does not exist leaves "C", which is right as well */
}

void terminal_set_colouring(enum terminal_colouring wanted)
{
	colouring = wanted;
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && value[0];
}

static bool is_dumb(void)
{
	const char *name = getenv("TERM");

	return !name || !name[0] || strcmp(name, "dumb") == 0;
}

struct terminal terminal_of_output(void)
{
	bool is_tty = isatty(STDOUT_FILENO);
	struct winsize size = {0};
	struct terminal terminal = {
		.is_live = is_tty && !is_dumb(),
		.has_symbols = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};

	terminal.has_colours = colouring == TERMINAL_COLOUR_ALWAYS ||
			       (colouring == TERMINAL_COLOUR_AUTO && terminal.is_live && !is_set("NO_COLOR"));
	if (!is_tty)
		return terminal;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		size = (struct winsize){.ws_col = COLUMNS_DEFAULT, .ws_row = ROWS_DEFAULT};
	terminal.columns = size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
	terminal.rows = size.ws_row > 0 ? size.ws_row : ROWS_DEFAULT;
	return terminal;
}
