/* screen.c - see screen.h. */
#include "cli/screen.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"

#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"
#define WRAP_OFF "\033[?7l" /* what is too long ends at the margin, so that a line is a line */
#define WRAP_ON "\033[?7h"
#define CLEAR_REST_OF_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

static int count_lines(const char *text)
{
	int count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

/* The end of the text that has no more lines than the terminal, less the one on which the cursor stands. */
static const char *last_lines(const char *text, const struct terminal *terminal)
{
	int more = count_lines(text) - (terminal->rows > 1 ? terminal->rows - 1 : 1);

	for (; more > 0; more--)
		text = strchr(text, '\n') + 1;
	return text;
}

static void append_return(struct buffer *out, const struct screen *screen)
{
	buffer_append_text(out, "\r");
	if (screen->line_count > 0)
		buffer_append_format(out, "\033[%dA", screen->line_count);
}

/* In one write, so that no half-drawn state is seen. */
static void write_out(const struct buffer *out)
{
	(void)fwrite(out->data, 1, out->len, stdout);
	(void)fflush(stdout); /* a failure is kept by the stream and told at the end */
}

void screen_draw(struct screen *screen, const char *text, const struct terminal *terminal)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	const char *line = last_lines(text, terminal);
	int lines = count_lines(line);

	buffer_append_text(&out, screen->is_begun ? WRAP_OFF : HIDE_CURSOR WRAP_OFF);
	append_return(&out, screen);
	while (*line) {
		size_t len = strcspn(line, "\n");

		buffer_append(&out, line, len);
		buffer_append_text(&out, CLEAR_REST_OF_LINE "\n");
		line += len + (line[len] == '\n');
	}
	buffer_append_text(&out, CLEAR_BELOW WRAP_ON);
	write_out(&out);
	screen->is_begun = true;
	screen->line_count = lines;
}

void screen_end(struct screen *screen, const char *text)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	if (screen->is_begun) {
		append_return(&out, screen);
		buffer_append_text(&out, CLEAR_BELOW SHOW_CURSOR);
	}
	buffer_append_text(&out, text);
	write_out(&out);
	*screen = (struct screen){0};
}
