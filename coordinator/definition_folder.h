/*
 * definition_folder.h - registers every definition in a folder at start, in the order of the files' names.
 *
 * Why:        a folder beside the program is the simplest way to ship definitions; registering what is there already
 *             changes nothing.
 * Errors:     a file that is wrong is logged with all its problems and left out. While the registry or the database is
 *             away, a file is tried again every second.
 */
#ifndef COORDINATOR_DEFINITION_FOLDER_H
#define COORDINATOR_DEFINITION_FOLDER_H

#include "coordinator/definition/catalog.h"

/* Blocks until all are done, or the process is asked to stop. */
void definition_folder_register(const char *folder, struct catalog *catalog);

#endif
