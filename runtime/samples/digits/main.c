// Reads handwritten digits with a convolutional network, and says in words what it sees.
#include "../print.h"
#include "digits.h"
#include "pictures.h"

static DIGITS_ALIGNED unsigned char arena[DIGITS_ARENA_BYTES];

static void draw(const uint8_t *picture) {
  static const char shades[] = "  ..::--==++**##@@";
  for (int row = 0; row < 8; ++row) {
    char line[18] = {0};
    for (int column = 0; column < 8; ++column) line[2 * column] = line[2 * column + 1] = shades[picture[column]];
    line[16] = '\n';
    print(line);
    picture += 8;
  }
}

static void say(const char *before, int digit, float probability) {
  static const char *const words[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
  const int percent = (int)(100 * probability + 0.5f);
  char number[] = {(char)('0' + percent / 100), (char)('0' + percent / 10 % 10), (char)('0' + percent % 10), 0};
  print(before);
  print(words[digit]);
  print(" (");
  print(number + (percent < 100) + (percent < 10));
  print(" %)");
}

// The digit of the greatest probability, other than `except`.
static int likeliest(const float *probabilities, int except) {
  int best = except == 0;
  for (int digit = 1; digit < DIGITS_PROBABILITIES_ELEMENTS; ++digit)
    if (digit != except && probabilities[digit] > probabilities[best]) best = digit;
  return best;
}

int main(void) {
  for (unsigned i = 0; i < sizeof pictures / sizeof *pictures; ++i) {
    float picture[DIGITS_PICTURE_ELEMENTS], probabilities[DIGITS_PROBABILITIES_ELEMENTS];
    for (int pixel = 0; pixel < DIGITS_PICTURE_ELEMENTS; ++pixel) picture[pixel] = (float)pictures[i][pixel] / 16;
    if (digits_run(picture, probabilities, arena)) return 1;

    const int first = likeliest(probabilities, -1), second = likeliest(probabilities, first);
    draw(pictures[i]);
    say("This is a ", first, probabilities[first]);
    if (probabilities[first] < 0.7f) say(", or a ", second, probabilities[second]);
    print(".\n\n");
  }
  return 0;
}
