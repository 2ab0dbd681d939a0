/*
 * safe_text.h - texts from elsewhere on a terminal: harmless, and measured in columns of the screen.
 *
 * Why:        a reason or a key may hold anything; an escape sequence in it would move the cursor, forge a line or worse.
 * Guarantees: what was made safe is valid UTF-8 without controls (C0, DEL, C1), line or paragraph separators, or marks that
 *             reorder text; each of these, and each byte that is no UTF-8, is one blank or one U+FFFD.
 */
#ifndef CLI_SAFE_TEXT_H
#define CLI_SAFE_TEXT_H

#include "lib/base/bytes.h"

void safe_text_append(struct buffer *out, const char *text, size_t len);

/* Columns that a safe text takes: none for combining characters, two for wide ones. */
size_t safe_text_width(const char *text);

/* At most `width` columns of a safe text, its end replaced by "…" where it is longer. */
void safe_text_append_cut(struct buffer *out, const char *text, size_t width);

#endif
