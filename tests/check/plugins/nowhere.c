/* A library that is not there where plugins run. */
int cape_nowhere(void);
int cape_nowhere(void) {
  return 1;
}
