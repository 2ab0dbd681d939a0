# Writes a file's bytes as a C array: cmake -DINPUT=x.bin -DOUTPUT=x.c -DNAME=X -DHEADER=x.h -P embed.cmake
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
file(WRITE ${OUTPUT}
	"#include \"${HEADER}\"\n\nconst unsigned char ${NAME}[] = {\n${hex}\n};\nconst size_t ${NAME}_LEN = sizeof(${NAME});\n")
