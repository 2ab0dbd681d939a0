/*
 * completion.h - what could come next on the command line, for the completion of shells.
 *
 * Why:        three shells with three languages; so their scripts only ask, and the answer is made here from the table of
 *             commands alone.
 *
 * A script calls `sagactl __complete WORD…` with the words behind `sagactl` up to the cursor, the last of which is the one
 * to be completed and may be empty. The answer has a candidate a line, with its description behind a tab; the line
 * ":file" asks for the names of files.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#define COMPLETE_WORD "__complete"

int completion_print(char *const *words, int count); /* the code to exit with */

#endif
