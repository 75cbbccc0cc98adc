// The pages inside are for those signed in, their second step done; everyone else goes to the door first.
import { redirect } from '@sveltejs/kit';
import { whoAmI } from '$lib/api/client';
import { live } from '$lib/api/events.svelte';

export async function load({ depends }) {
  depends('loa:session');
  const session = await whoAmI();
  if (session === null || session.second_factor === 'needed') redirect(307, '/signin');
  live.session = session;
}
