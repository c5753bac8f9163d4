/* folder.h - removing a working folder with all that commands left in it. */
#ifndef BO_PLATFORM_LOCAL_FOLDER_H
#define BO_PLATFORM_LOCAL_FOLDER_H

/* Removes the folder and everything below it, but never anything on another mount or behind a link: a command may
 * have mounted the machine's data there. Returns 0, also when there is none, or the errno of the first failure. */
int bo_local_remove_folder(const char *path);

#endif
