/** The value that stands for everywhere where an area is chosen. */
export const EVERYWHERE = '*';
