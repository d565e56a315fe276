/** What the script tag loads. */

import { defineTalkButton } from './element.js';

defineTalkButton();
