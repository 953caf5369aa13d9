/*
 * What init tells a person: lines on the console that begin with "rambox: ", one a failure, with what to do
 * about it.
 */
#pragma once

/*
 * Makes sure that descriptors 0 to 2 are open, on /dev/console or, without one, on nothing harmful. Call it
 * before any other descriptor is opened, and again once /dev is there.
 */
void say_open_console(void);

__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
