/** Says a number with the form of what is counted that the language wants: one word, two words. */
export function countingIn(language: string): (count: number, one: string, other: string) => string {
  const rules = new Intl.PluralRules(language);
  const { format } = new Intl.NumberFormat(language);
  return (count, one, other) => `${format(count)} ${rules.select(count) === "one" ? one : other}`;
}
