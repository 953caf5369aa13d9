/*
 * /sbin/init: process 1 of a node whose root stays in RAM, unless the image brings another.
 */
#pragma once

/*
 * Runs the executables of /etc/init in the order of their names, one after the other, reports `ready`, keeps
 * a login shell on the console (not with rambox.secure or rambox.console=no), reaps, and stops as stop.h
 * says. Does not return.
 */
_Noreturn void supervise(void);
