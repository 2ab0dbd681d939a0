# How every target of ours is compiled, and the two short forms in which folders declare theirs.

add_library(amends_flags INTERFACE)
target_include_directories(amends_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_definitions(amends_flags INTERFACE _GNU_SOURCE AMENDS_VERSION="${PROJECT_VERSION}")
target_compile_options(amends_flags INTERFACE
	-Wall -Wextra -Wshadow -Werror -fno-omit-frame-pointer -g
	$<$<COMPILE_LANGUAGE:C>:-Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wno-sign-conversion>)

# Texts for people are cut on purpose where they are too long (struct error), which gcc takes for a slip.
target_compile_options(amends_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)

set(AMENDS_SANITIZE "" CACHE STRING "address,undefined or thread: instrument everything of ours")
if(AMENDS_SANITIZE)
	target_compile_options(amends_flags INTERFACE -fsanitize=${AMENDS_SANITIZE})
	target_link_options(amends_flags INTERFACE -fsanitize=${AMENDS_SANITIZE})
	if(AMENDS_SANITIZE MATCHES undefined)
		# The null checks that gcc inserts make it see null pointers where there are none.
		target_compile_options(amends_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-format-overflow>)
	endif()
endif()

option(AMENDS_CRASH_POINTS "programs can be told to die at named moments (lib/base/crash_point.h): for tests" OFF)
if(AMENDS_CRASH_POINTS)
	target_compile_definitions(amends_flags INTERFACE AMENDS_CRASH_POINTS)
endif()

option(AMENDS_FUZZ "build tests/fuzz (clang alone); everything is instrumented for libFuzzer" OFF)
if(AMENDS_FUZZ)
	target_compile_options(amends_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Asserts are part of the product: they stay in release builds.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

# amends_library(name SOURCES a.c b.c DEPENDS other PkgConfig::X)
function(amends_library name)
	cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
	add_library(${name} STATIC ${ARG_SOURCES})
	target_link_libraries(${name} PUBLIC amends_flags ${ARG_DEPENDS})
endfunction()

# amends_program(name SOURCES main.c DEPENDS libraries)
function(amends_program name)
	cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
	add_executable(${name} ${ARG_SOURCES})
	target_link_libraries(${name} PRIVATE amends_flags ${ARG_DEPENDS})
endfunction()

# amends_test(name SOURCES x_test.c DEPENDS libraries): a cmocka program, registered with ctest
function(amends_test name)
	if(NOT CMOCKA_FOUND)
		return()
	endif()
	amends_program(${name} ${ARGN})
	target_link_libraries(${name} PRIVATE PkgConfig::CMOCKA)
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
	add_test(NAME ${name} COMMAND ${name})
endfunction()

# amends_proto(name DESCRIPTORS out.bin ROOT dir FILES a/b.proto …): C by protobuf-c into build/proto/, warnings off,
# include "proto/a/b.pb-c.h".
function(amends_proto name)
	cmake_parse_arguments(ARG "" "ROOT" "FILES;DEPENDS" ${ARGN})
	set(sources)
	foreach(file ${ARG_FILES})
		string(REGEX REPLACE "\\.proto$" ".pb-c" stem ${file})
		set(base ${CMAKE_BINARY_DIR}/proto/${stem})
		add_custom_command(OUTPUT ${base}.c ${base}.h
			COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/proto
			COMMAND ${PROTOC_C} -I ${ARG_ROOT} -I /usr/include --c_out=${CMAKE_BINARY_DIR}/proto ${file}
			DEPENDS ${ARG_ROOT}/${file} VERBATIM)
		list(APPEND sources ${base}.c)
	endforeach()
	add_library(${name} STATIC ${sources})
	target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/proto ${CMAKE_BINARY_DIR})
	target_link_libraries(${name} PUBLIC PkgConfig::PROTOBUF_C ${ARG_DEPENDS})
	target_compile_options(${name} PRIVATE -g)
endfunction()
