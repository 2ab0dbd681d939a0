/*
 * text_pair.h - a name and its value, both text: a property that is handed on from a configuration to a library.
 *
 * Ownership:  borrows both.
 */
#ifndef LIB_BASE_TEXT_PAIR_H
#define LIB_BASE_TEXT_PAIR_H

struct text_pair {
	const char *name;
	const char *value;
};

#endif
