/* main.c - sagactl: everything is in command.c. */
#include "cli/command.h"
#include "lib/base/log.h"

int main(int argc, char **argv)
{
	log_init("sagactl", LOG_LEVEL_ERROR); /* libraries' warnings are said by the commands in their own words */
	return command_main(argc, argv);
}
