#ifndef START_H
#define START_H

void reset(void);
void print(const char *text);

#endif  // START_H
