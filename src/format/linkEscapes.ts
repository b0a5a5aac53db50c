import { wellFormed } from "../flow/text";

/**
 * Every sign but letters, digits and dashes: chats take the others for marks of their own, and links for ended by them. Half a
 * character has no escape and becomes U+FFFD.
 */
export function escaped(text: string): string {
  const hexadecimal = (sign: string) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(wellFormed(text)).replace(/[!'()*._~]/g, hexadecimal);
}

/** Every escaped sign as it is meant; what is no escape, or one of half a sign, stays. */
export function unescaped(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
